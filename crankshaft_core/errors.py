"""Every exception of the core, in one tree.

CrankshaftError
├── ConfigError            what was written is wrong: all problems at once, each with its place
├── JournalError           the journal cannot be used: its file is damaged, or of another version
│   └── JournalInUseError      ... another process owns it
├── EngineError            the engine was used outside its life: not started, or already closed
├── BackendError           the machinery failed, not the task's own command
│   ├── TransportError     no answer could be had; nothing was changed by the call
│   │   └── AuthenticationError   the other side does not let us in; never retried by itself
│   ├── AnswerLostError    a call was sent and its answer never came; it may have taken effect
│   ├── SubmitError        the system refused the task
│   │   └── SubmitDeferred        ... for now: the same submit may be repeated later
│   ├── SubmitInDoubt      no telling whether the system accepted the task
│   ├── StagingError       an input could not be brought, or an output not fetched
│   ├── CancelUnconfirmed  cancellation was asked for, and the system never confirmed it
│   ├── LostTaskError      the system no longer knows the task and no result was left
│   └── EndedError         the system ended the task; `.result` holds what is known
│       ├── OutOfMemoryError
│       ├── TimeLimitError
│       ├── PreemptedError
│       ├── NodeFailureError
│       ├── StuckError             it waits, and can never start
│       └── CancelledElsewhereError   somebody else cancelled it
└── ExitCodeError          raised only by `TaskResult.check()`: the command ended with a code other than 0

A non-zero exit code is a result, not an exception. Cancellation by the caller is `asyncio.CancelledError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crankshaft_core.task import TaskResult

__all__ = [
    "AnswerLostError",
    "AuthenticationError",
    "BackendError",
    "CancelUnconfirmed",
    "CancelledElsewhereError",
    "ConfigError",
    "CrankshaftError",
    "EndedError",
    "EngineError",
    "ExitCodeError",
    "JournalError",
    "JournalInUseError",
    "LostTaskError",
    "NodeFailureError",
    "OutOfMemoryError",
    "PreemptedError",
    "StagingError",
    "StuckError",
    "SubmitDeferred",
    "SubmitError",
    "SubmitInDoubt",
    "TimeLimitError",
    "TransportError",
]


class CrankshaftError(Exception):
    """Anything this package raises on purpose. Its text is one message for a person."""


class ConfigError(CrankshaftError):
    """What was written down is wrong. `problems` holds one line each; the text is all of them."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class JournalError(CrankshaftError):
    """The journal cannot be used: another process owns it, its file is damaged or of a newer version."""


class JournalInUseError(JournalError):
    """Another process owns the journal; the message names it."""


class EngineError(CrankshaftError):
    """The engine was used before it was entered or after it was closed."""


class BackendError(CrankshaftError):
    """The machinery of a backend failed; the task's own command is not to blame.

    `result` is what is known of the task, where there is a task to know of.
    """

    def __init__(self, message: str, *, result: TaskResult | None = None) -> None:
        super().__init__(message)
        self.result = result


class TransportError(BackendError):
    """No answer could be had, and the call changed nothing. It may be repeated."""


class AuthenticationError(TransportError):
    """The other side does not let us in. It is never retried by itself, since accounts get locked.

    `message` is what happened, `advice` what to do about it; the text is both.
    """

    def __init__(self, message: str, *, advice: str = "", result: TaskResult | None = None) -> None:
        super().__init__(f"{message}. {advice}" if advice else message, result=result)
        self.message = message
        self.advice = advice


class AnswerLostError(BackendError):
    """A call was sent and its answer never came: it may or may not have taken effect. Never blindly repeated."""


class SubmitError(BackendError):
    """The system refused the task: it is known not to run."""


class SubmitDeferred(SubmitError):
    """The system refused the task for now (a limit, a rate). `retry_after` is its wish in seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SubmitInDoubt(BackendError):
    """The call broke off in the middle: the system may or may not have accepted the task."""


class StagingError(BackendError):
    """An input could not be brought to the task, or an output not fetched from it."""


class CancelUnconfirmed(BackendError):
    """Cancellation was asked for, and not confirmed in time. `job_ids` may still be running."""

    def __init__(self, message: str, *, job_ids: Sequence[str]) -> None:
        super().__init__(message)
        self.job_ids = tuple(job_ids)


class LostTaskError(BackendError):
    """A successful query no longer lists the task, and it left no result."""


class EndedError(BackendError):
    """The system ended the task before its command came to its own end."""


class OutOfMemoryError(EndedError):
    """The task needed more memory than it had asked for."""


class TimeLimitError(EndedError):
    """The task ran longer than its `time`."""


class PreemptedError(EndedError):
    """The system took the task's place for another one."""


class NodeFailureError(EndedError):
    """The machine under the task failed."""


class StuckError(EndedError):
    """The task waits in the queue and can never start, for the reason the system gives."""


class CancelledElsewhereError(EndedError):
    """Somebody other than the caller cancelled the task."""


class ExitCodeError(CrankshaftError):
    """A command of the task ended with an exit code other than 0. `result` is the whole result."""

    def __init__(self, message: str, *, result: TaskResult) -> None:
        super().__init__(message)
        self.result = result
