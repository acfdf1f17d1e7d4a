"""What single tasks ask for: by decorator, by context manager, over what the runner was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TypeVar

from pydantic import ValidationError

from crankshaft_core.errors import ConfigError
from crankshaft_core.task import Resources

__all__ = ["Options", "asked_of", "checked", "crankshaft_options", "in_force", "resources_of"]

Function = TypeVar("Function", bound=Callable[..., object])
Options = Mapping[str, object]
"""Option names to values; a resource may be a function of the attempt's number, counted from 1."""

_RESOURCES = frozenset(Resources.model_fields)
_OTHERS = frozenset({"backend", "image", "python", "env", "attributes", "batch"})
_ATTRIBUTE = "__crankshaft_options__"
_CONTEXT: ContextVar[Options | None] = ContextVar("crankshaft_options", default=None)


class crankshaft_options:  # noqa: N801 - used like prefect's `tags` and prefect-ray's `remote_options`
    """What the tasks submitted in this context, or the task of this function, ask for.

        with crankshaft_options(cpu=4, ram=16, backend="hpc"):
            future = align.submit(sample)

        @task(retries=2)
        @crankshaft_options(ram=lambda attempt: 8 * attempt, time="2h")
        def align(sample): ...

    Options: the fields of `crankshaft_core.Resources` (cpu, ram in GiB, time with a unit, …), `backend`, `image`,
    `python` (the worker's interpreter), `env`, `attributes` (queue, account, …), `batch`. The context's win over
    the function's, the function's over the runner's. Raises ConfigError for an unknown option or a bad value.
    """

    def __init__(self, **options: object) -> None:
        self.options = checked(options)
        self._tokens: list[Token[Options | None]] = []

    def __call__(self, function: Function) -> Function:
        """Ask for it whenever this function, or this task, is run."""
        asking = getattr(function, "fn", function)  # a Task's own function, which survives `with_options`
        setattr(asking, _ATTRIBUTE, {**asked_of(asking), **self.options})
        return function

    def __enter__(self) -> None:
        self._tokens.append(_CONTEXT.set({**(_CONTEXT.get() or {}), **self.options}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _CONTEXT.reset(self._tokens.pop())


def asked_of(function: object) -> Options:
    """What the decorator asked for this function."""
    options: Options = getattr(function, _ATTRIBUTE, {})
    return options


def in_force() -> Options:
    """What the surrounding contexts ask for."""
    return _CONTEXT.get() or {}


def checked(options: Options) -> Options:
    """The options, if they are known and have values that can be; the values of functions are seen when called."""
    unknown = sorted(set(options) - _RESOURCES - _OTHERS)
    if unknown:
        raise ConfigError(
            f"crankshaft options: unknown {', '.join(unknown)}; known: {', '.join(sorted(_RESOURCES | _OTHERS))}"
        )
    resources_of({name: value for name, value in options.items() if not callable(value)}, attempt=1)
    batch = options.get("batch")
    if batch is not None and not (isinstance(batch, int) and batch >= 1):
        raise ConfigError(f"crankshaft option batch: {batch!r} is not a number of calls; 1 or more are")
    return dict(options)


def resources_of(options: Options, *, attempt: int) -> Resources:
    """The resources among the options, as they are for this attempt. Raises ConfigError for a bad value."""
    asked = {name: options[name] for name in options if name in _RESOURCES and options[name] is not None}
    values = {name: value(attempt) if callable(value) else value for name, value in asked.items()}
    try:
        return Resources.model_validate(values)
    except ValidationError as error:
        problems = [f"crankshaft option {problem['loc'][0]}: {problem['msg']}" for problem in error.errors()]
        raise ConfigError(problems) from error
