"""Crankshaft: run tasks on the places that one Crankshaft.toml names.

    async with Engine(Config.load()) as engine:
        result = await engine.run("hpc", Task(executions=[Execution(command="hostname")]))

`BlockingEngine` is the same for callers without an event loop.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crankshaft_core.blocking import BlockingEngine, TaskFuture
    from crankshaft_core.config import Config
    from crankshaft_core.engine import Engine, TaskHandle
    from crankshaft_core.errors import (
        AnswerLostError,
        AuthenticationError,
        BackendError,
        CancelledElsewhereError,
        CancelUnconfirmed,
        ConfigError,
        CrankshaftError,
        EndedError,
        EngineError,
        ExitCodeError,
        JournalError,
        JournalInUseError,
        LostTaskError,
        NodeFailureError,
        OutOfMemoryError,
        PreemptedError,
        StagingError,
        StuckError,
        SubmitDeferred,
        SubmitError,
        SubmitInDoubt,
        TimeLimitError,
        TransportError,
    )
    from crankshaft_core.journal import Journal
    from crankshaft_core.task import Execution, Input, Output, Resources, Task, TaskResult, Verdict

__all__ = [
    "AnswerLostError",
    "AuthenticationError",
    "BackendError",
    "BlockingEngine",
    "CancelUnconfirmed",
    "CancelledElsewhereError",
    "Config",
    "ConfigError",
    "CrankshaftError",
    "EndedError",
    "Engine",
    "EngineError",
    "Execution",
    "ExitCodeError",
    "Input",
    "Journal",
    "JournalError",
    "JournalInUseError",
    "LostTaskError",
    "NodeFailureError",
    "OutOfMemoryError",
    "Output",
    "PreemptedError",
    "Resources",
    "StagingError",
    "StuckError",
    "SubmitDeferred",
    "SubmitError",
    "SubmitInDoubt",
    "Task",
    "TaskFuture",
    "TaskHandle",
    "TaskResult",
    "TimeLimitError",
    "TransportError",
    "Verdict",
]

_HOMES = {
    "AnswerLostError": "crankshaft_core.errors",
    "AuthenticationError": "crankshaft_core.errors",
    "BackendError": "crankshaft_core.errors",
    "BlockingEngine": "crankshaft_core.blocking",
    "CancelUnconfirmed": "crankshaft_core.errors",
    "CancelledElsewhereError": "crankshaft_core.errors",
    "Config": "crankshaft_core.config",
    "ConfigError": "crankshaft_core.errors",
    "CrankshaftError": "crankshaft_core.errors",
    "EndedError": "crankshaft_core.errors",
    "Engine": "crankshaft_core.engine",
    "EngineError": "crankshaft_core.errors",
    "Execution": "crankshaft_core.task",
    "ExitCodeError": "crankshaft_core.errors",
    "Input": "crankshaft_core.task",
    "Journal": "crankshaft_core.journal",
    "JournalError": "crankshaft_core.errors",
    "JournalInUseError": "crankshaft_core.errors",
    "LostTaskError": "crankshaft_core.errors",
    "NodeFailureError": "crankshaft_core.errors",
    "OutOfMemoryError": "crankshaft_core.errors",
    "Output": "crankshaft_core.task",
    "PreemptedError": "crankshaft_core.errors",
    "Resources": "crankshaft_core.task",
    "StagingError": "crankshaft_core.errors",
    "StuckError": "crankshaft_core.errors",
    "SubmitDeferred": "crankshaft_core.errors",
    "SubmitError": "crankshaft_core.errors",
    "SubmitInDoubt": "crankshaft_core.errors",
    "Task": "crankshaft_core.task",
    "TaskFuture": "crankshaft_core.blocking",
    "TaskHandle": "crankshaft_core.engine",
    "TaskResult": "crankshaft_core.task",
    "TimeLimitError": "crankshaft_core.errors",
    "TransportError": "crankshaft_core.errors",
    "Verdict": "crankshaft_core.task",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: a command line and every inner Snakemake import this package."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
