"""The genome from end to end, a band for each sample: how deep it was read, and where it differs.

Snakemake runs this file as the script of its rule `plot`; a Prefect flow calls `plot`.
"""

import csv
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display on a compute node
from matplotlib import pyplot as plt


def plot(table: Path, depth: Mapping[str, Path], picture: Path) -> None:
    """Draw to `picture`; its suffix (.png, .svg, .pdf) says how."""
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    mpl.rcParams["svg.hashsalt"] = "variants"  # the same data is the same file
    figure, bands = plt.subplots(
        len(depth), sharex=True, sharey=True, squeeze=False, figsize=(10, 1 + 1.4 * len(depth)), layout="constrained"
    )
    for band, (sample, path) in zip(bands[:, 0], depth.items(), strict=True):
        start, reads = _depth(path)
        band.fill_between(start, reads, step="post", color="#9ecae1")
        common = [int(row["position"]) for row in rows if row[sample] != "." and int(row["samples"]) > 1]
        own = [int(row["position"]) for row in rows if row[sample] != "." and int(row["samples"]) == 1]
        band.vlines(own, 0, max(reads), color="#d94801", linewidth=1, label="only here")
        band.vlines(common, 0, max(reads), color="#3f007d", linewidth=1, label="in several")
        band.set_ylabel(sample)
    bands[0, 0].legend(loc="lower right", ncols=2, fontsize="small")
    bands[0, 0].set_title("Reads over each position, and the mutations called")
    bands[-1, 0].set_xlabel("position in the genome")
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)
    plt.close(figure)


def _depth(path: Path) -> tuple[list[int], list[float]]:
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return [int(row["start"]) for row in rows], [float(row["depth"]) for row in rows]


def _as_script(job: Any) -> None:
    """`job` is what Snakemake puts into a script as `snakemake`."""
    depths = map(Path, job.input["depth"])
    with Path(job.log[0]).open("w") as log, redirect_stderr(log):
        plot(Path(job.input["table"]), dict(zip(job.params["samples"], depths, strict=True)), Path(job.output[0]))


if __name__ == "__main__":
    _as_script(globals()["snakemake"])
