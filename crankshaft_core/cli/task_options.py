"""The task that the options of `crankshaft run` describe."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import PurePath

from pydantic import ValidationError

from crankshaft_core.cli.arguments import Invocation
from crankshaft_core.cli.file_options import input_problem, read_input, read_output
from crankshaft_core.cli.task_fields import problems, task_from_fields
from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Resources, Task

__all__ = ["resources_of", "task_of"]

_RESOURCES = ("cpu", "ram", "disk", "gpu", "time")
_COPIED = (*_RESOURCES, "image", "cwd", "name")
# GiB. More memory than this in one machine is rare; a person who means MB, as srun's --mem does, is not.
_LARGEST_BARE_RAM = 2048


def task_of(invocation: Invocation) -> Task:
    """The task asked for. Raises ConfigError with all problems, each naming its option."""
    options = invocation.options
    wrong = [
        *_command_problems(invocation),
        *_ram_problems(options),
        *(f"--attribute {text}: write it as K=V" for text in options.attribute if not _is_pair(text)),
        *filter(None, map(input_problem, options.input)),
        *(f"--output {text}: write it as PATH or PATH=URL" for text in options.output if text[:1] in ("", "=")),
        *(f"--env {text}: {_unset(text)}" for text in options.env if not (_is_pair(text) or text in os.environ)),
    ]
    if wrong:
        raise ConfigError(wrong)
    fields: dict[str, object] = {
        "name": _default_name(invocation),
        **_given(options, _COPIED),
        **_command(invocation),
        "env": dict(_pair(text) if _is_pair(text) else (text, os.environ[text]) for text in options.env),
        "attributes": dict(_pair(text) for text in options.attribute),
        "inputs": [read_input(text) for text in options.input],
        "outputs": [read_output(text) for text in options.output],
    }
    return task_from_fields(fields, label=_option)


def resources_of(options: Namespace) -> Resources:
    """What the options ask for, without a command. Raises ConfigError with all problems."""
    wrong = _ram_problems(options)
    if wrong:
        raise ConfigError(wrong)
    try:
        return Resources.model_validate(_given(options, _RESOURCES))
    except ValidationError as error:
        raise ConfigError(problems(error, label=_option)) from None


def _command_problems(invocation: Invocation) -> list[str]:
    text, command = invocation.options.shell, invocation.command
    if text is not None and command:
        return [f"-c TEXT is the whole command; {command[0]!r} cannot follow it"]
    if text is None and not command:
        return ["nothing to run: give a COMMAND after --, or -c TEXT, or --file TASKS.jsonl"]
    if text == "" or command[:1] == ("",):
        return ["the command is empty"]
    return []


def _command(invocation: Invocation) -> dict[str, object]:
    if invocation.options.shell is not None:
        return {"command": invocation.options.shell}
    program, *args = invocation.command or ("",)
    return {"program": program, "args": args}


def _default_name(invocation: Invocation) -> str:
    words: Sequence[str] = invocation.command or (invocation.options.shell or "").split()
    return PurePath(words[0]).name or "task" if words else "task"


def _given(options: Namespace, names: Sequence[str]) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _is_pair(text: str) -> bool:
    return text.find("=") > 0


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _unset(text: str) -> str:
    return "write it as K=V" if "=" in text or not text else f"{text} is not set here; write {text}=VALUE"


def _ram_problems(options: Namespace) -> list[str]:
    text = str(options.ram or "").strip()
    if re.fullmatch(r"\d+(\.\d*)?", text) and float(text) > _LARGEST_BARE_RAM:
        return [f"--ram {text} is {text} GiB; write '{text}MB' for megabytes, or '{text}GiB' if it is meant"]
    return []


def _option(field: str) -> str:
    return {"work_dir": "--cwd", "command": "-c", "program": "COMMAND", "args": "COMMAND"}.get(field, f"--{field}")
