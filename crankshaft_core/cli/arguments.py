"""The command line: its words and options, all in one place, built without importing anything heavy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn

from crankshaft_core.cli import exit_codes

__all__ = ["COMMANDS", "Invocation", "parse"]

COMMANDS = {
    "run": "run a command, or many tasks from a file, on a backend",
    "backends": "list the configured backends, and the file each is from",
    "jobs": "list what was handed over and is not done, also by clients that are gone",
    "logs": "print what a task has written",
    "cancel": "end tasks, also those whose client is gone",
    "clean": "remove what finished runs have left behind",
    "login": "open the connection to a backend by hand: one-time codes, passwords, tickets",
    "check": "is each backend reachable and usable?",
    "config": "print the merged configuration, secrets hidden",
    "init": "write a commented starter file",
    "schema": "print the JSON Schema of Crankshaft.toml, for editors",
}

_RUN_NOTES = """\
COMMAND and its arguments reach the task byte for byte, as with srun and docker run: no shell reads them
again, and one argument with a space in it is a program with a space in its name. For pipes, variables and
wildcards use -c 'TEXT', which the backend's shell runs. Standard input is empty.

Each line of TASKS.jsonl is a JSON object: "command" (shell text) or "program" and "args", and, where wanted,
"name", "backend", "image", "cpu", "ram", "disk", "gpu", "time", "env", "cwd", "stdin", "stdout", "stderr",
"inputs", "outputs", "attributes"; or a whole Task with "executions" and "resources". What the options here
say of backend and resources holds where a line says nothing.

Exit code: that of COMMAND; 125 when Crankshaft or the backend failed; 130 after Ctrl-C and 143 after SIGTERM,
which cancel everything (a second one leaves at once). With --file: 1 if any task did not succeed.
"""


class Invocation(NamedTuple):
    """One reading of the command line. `command` is what `run` was asked to run."""

    name: str
    options: argparse.Namespace
    command: tuple[str, ...] = ()


def parse(argv: Sequence[str]) -> Invocation:
    """Read the command line. Leaves with SystemExit after --help and --version, and with one line on a mistake."""
    name = argv[0] if argv else ""
    if name not in COMMANDS:
        _leave(argv)
    parser = _Parser(
        prog=f"crankshaft {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = _OPTIONS[name](parser)
    own, command = _split(argv[1:], actions) if name == "run" else (argv[1:], ())
    return Invocation(name, parser.parse_args(own), tuple(command))


def _leave(argv: Sequence[str]) -> NoReturn:
    """--help, --version, nothing at all, or a word that is no command."""
    listing = "\n".join(f"  {name:10}{what}" for name, what in COMMANDS.items())
    parser = _Parser(
        prog="crankshaft",
        usage="crankshaft COMMAND [OPTIONS]",
        description="Run work on the places that Crankshaft.toml names.",
        epilog=f"commands:\n{listing}\n\n'crankshaft COMMAND --help' tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(exit_codes.USAGE)
    if argv[0].startswith("-"):
        parser.parse_args(argv[:1])
    parser.error(f"no command {argv[0]!r}{_meant(argv[0], COMMANDS)}; known: {', '.join(COMMANDS)}")


def _split(argv: Sequence[str], options: Iterable[argparse.Action]) -> tuple[Sequence[str], Sequence[str]]:
    """Our own arguments, and the command: what follows the first `--`, or starts at the first word of its own.

    argparse is not asked: what it does with `--` differs between Python versions (python/cpython#81691).
    """
    with_value = {text for action in options if action.nargs != 0 for text in action.option_strings}
    at = 0
    while at < len(argv):
        if argv[at] == "--":
            return argv[:at], argv[at + 1 :]
        if not argv[at].startswith("-"):
            return argv[:at], argv[at:]
        at += 2 if argv[at] in with_value else 1
    return argv, ()


def _run(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    parser.usage = (
        "crankshaft run [OPTIONS] [--] COMMAND [ARG...]\n       "
        "crankshaft run [OPTIONS] -c TEXT\n       "
        "crankshaft run [OPTIONS] --file TASKS.jsonl"
    )
    parser.epilog = _RUN_NOTES
    add = parser.add_argument
    return [
        add("-b", "--backend", metavar="NAME", help="where; without it the default backend"),
        _config(parser),
        add("-c", "--shell", metavar="TEXT", help="run TEXT in the backend's shell, instead of COMMAND"),
        add("-f", "--file", metavar="TASKS.jsonl", help="run the tasks of this file, one a line; - is standard input"),
        *_what_it_needs(parser),
        _many(parser, "--env", "K=V | K", "set a variable; K alone passes its value on"),
        add("--cwd", metavar="DIR", help="working directory; on this machine the current one if not given"),
        _many(parser, "--input", "PATH[=URL]", "bring this file or directory, from here or a URL"),
        _many(parser, "--output", "PATH[=URL]", "fetch this file, directory/ or 'wildcard*' after success"),
        _many(parser, "--attribute", "K=V", "such as queue=short or account=lab"),
        add("--name", help="what it is called in messages and job lists"),
        add("-n", "--dry-run", action="store_true", help="print what would be submitted, and submit nothing"),
        add("-q", "--quiet", action="store_true", help="say nothing of failures and waiting"),
    ]


def _what_it_needs(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("--image", help="container image to run it in"),
        add("--cpu", metavar="N", help="cores"),
        add("--ram", "--mem", metavar="GIB", help="memory: GiB, or with a unit (500MB)"),
        add("--disk", metavar="GIB", help="scratch space: GiB, or with a unit"),
        add("--gpu", metavar="N", help="number of GPUs"),
        add("--time", metavar="DURATION", help="longest it may run: 90m, 2h, 1-12:00:00"),
    ]


def _many(parser: argparse.ArgumentParser, option: str, metavar: str, what: str) -> argparse.Action:
    """An option that may be given again and again."""
    return parser.add_argument(option, metavar=metavar, action="append", default=[], help=what)


def _login(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    name = parser.add_argument("name", metavar="NAME", help='a backend with locale kind = "SSH"')
    end = parser.add_argument("--end", action="store_true", help="close the connection that was opened")
    return [name, end, _config(parser)]


def _check(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("names", metavar="NAME", nargs="*", help="only these backends"),
        add("--probe", action="store_true", help="also run a job that does nothing: do its results come back?"),
        add("--json", action="store_true", help="a JSON object a line"),
        _config(parser),
    ]


def _jobs(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("-a", "--all", action="store_true", help="those that are done as well"),
        add("--run", metavar="RUN", help="only of this run"),
        add(
            "-b", "--backend", metavar="NAME", help="only on this one; also what it shows and no journal here tells of"
        ),
        add("--json", action="store_true", help="a JSON object a line"),
        add("--offline", action="store_true", help="only what the journals say; ask no backend"),
        *_where_from(parser),
    ]


def _logs(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("id", metavar="ID", help="as `crankshaft jobs` lists it; or the backend's job id, or the task's name"),
        add("-f", "--follow", action="store_true", help="go on until the task has ended"),
        add("--json", action="store_true", help='a line {"stream": …, "text": …} for each piece'),
        *_where_from(parser),
    ]


def _cancel(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("ids", metavar="ID", nargs="*", help="as `crankshaft jobs` lists it; or the job id, or the task's name"),
        add("--run", metavar="RUN", help="everything of this run"),
        add("--all", action="store_true", help="everything that is not done"),
        add("-b", "--backend", metavar="NAME", help="only on this one; ID or RUN may be what no journal here tells of"),
        add("--json", action="store_true", help="a JSON object a line"),
        *_where_from(parser),
    ]


def _clean(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    add = parser.add_argument
    return [
        add("--older-than", metavar="DURATION", default="14d", help="what has not changed for so long (%(default)s)"),
        add("-b", "--backend", metavar="NAME", help="only what was left there"),
        add("--run", metavar="RUN", help="only of this run, which is yours also where nothing tells whose it is"),
        add("-n", "--dry-run", action="store_true", help="remove nothing, and tell what would be removed"),
        add("--json", action="store_true", help="a JSON object a line"),
        _config(parser),
    ]


def _where_from(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    journal = parser.add_argument(
        "--journal", metavar="FILE", help="this journal, instead of your own and those of the workflow here"
    )
    return [journal, _config(parser)]


def _show_config(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    origin = parser.add_argument("--origin", action="store_true", help="name the file and line of every value")
    return [origin, _config(parser)]


def _init(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [
        parser.add_argument(
            "path", metavar="PATH", nargs="?", default="Crankshaft.toml", help="never overwritten (%(default)s)"
        )
    ]


def _config(parser: argparse.ArgumentParser) -> argparse.Action:
    return parser.add_argument("--config", metavar="FILE", help="this file, over those that are found by themselves")


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], list[argparse.Action]]] = {
    "run": _run,
    "backends": lambda parser: [_config(parser)],
    "jobs": _jobs,
    "logs": _logs,
    "cancel": _cancel,
    "clean": _clean,
    "login": _login,
    "check": _check,
    "config": _show_config,
    "init": _init,
    "schema": lambda _: [],
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where to read on."""

    def error(self, message: str) -> NoReturn:
        status = exit_codes.RUN_FAILED if self.prog == "crankshaft run" else exit_codes.USAGE
        words = message.removeprefix("unrecognized arguments: ")
        if words != message:
            known = [text for action in self._actions for text in action.option_strings]
            message = f"cannot read {words!r}{_meant(words.split()[0].split('=')[0], known)}"
        self.exit(status, f"{self.prog}: {message}; see '{self.prog} --help'\n")


class _Version(argparse.Action):
    """`--version`, which looks it up only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, help: str | None = None) -> None:  # noqa: A002 (argparse's name)
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"crankshaft {version('crankshaft')}\n")
        parser.exit()


def _meant(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
