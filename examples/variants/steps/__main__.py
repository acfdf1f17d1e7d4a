"""`python -m steps NAME …`: one step from the command line, as the rules of the Snakefile call it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .align import align, sort
from .call import call
from .report import WrongCallsError, check, tabulate
from .simulate import plant, sequence_sample


def main() -> int:
    """Run the step that the command line names. 1 if the calls are not what was planted."""
    arguments = vars(_parser().parse_args())
    step = arguments.pop("step")
    if "calls_of" in arguments:
        arguments["calls"] = {path.parent.name: path for path in arguments.pop("calls_of")}
    try:
        step(**arguments)
    except WrongCallsError as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m steps", description=__doc__)
    steps = parser.add_subparsers(required=True, metavar="NAME")

    def add(name: str, step: object, *files: str) -> argparse.ArgumentParser:
        one = steps.add_parser(name, description=getattr(step, "__doc__", None))
        one.set_defaults(step=step)
        for file in files:
            one.add_argument(file, type=Path)
        return one

    planting = add("plant", plant, "genome", "planted")
    planting.add_argument("--samples", nargs="+", required=True)
    planting.add_argument("--seed", type=int, required=True)
    reading = add("sequence", sequence_sample, "genome", "planted", "reads")
    reading.add_argument("--sample", required=True)
    reading.add_argument("--seed", type=int, required=True)
    reading.add_argument("--coverage", type=float, required=True)
    reading.add_argument("--error-rate", type=float, required=True)
    aligning = add("align", align, "genome", "reads", "bam")
    aligning.add_argument("--sample", required=True)
    aligning.add_argument("--threads", type=int, default=1)
    add("sort", sort, "bam", "sorted_bam").add_argument("--threads", type=int, default=1)
    add("call", call, "genome", "bam", "calls", "depth").add_argument("--sample", required=True)
    for name, step, files in (("table", tabulate, ["table"]), ("check", check, ["planted", "report"])):
        gathering = add(name, step, *files)
        # each sample's files are in a directory of its name
        gathering.add_argument("--calls", dest="calls_of", nargs="+", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
