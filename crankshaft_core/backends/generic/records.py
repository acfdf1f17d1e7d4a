"""The exit records that wrappers leave in `done/`, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from crankshaft_core.backends.base import Outcome
from crankshaft_core.task import Verdict

__all__ = ["Record"]

_KILLED = frozenset({128 + 15, 128 + 9})
"""Exit codes of a command ended by TERM or KILL: who sent it, the system may know."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the wrapper: `0,1 1732.5 1733.1 4711 c07 exit`, and perhaps what there is to say."""

    exit_codes: tuple[int, ...]
    started: float
    ended: float
    job_id: str
    node: str
    why: str
    """`exit`, `signal:<name>`, `time`, `requeued`, or `broken`: an execution could not be started."""
    detail: str = ""

    @classmethod
    def parse(cls, line: str) -> Record | None:
        """The record, or None for a line that is none: nothing is made of half a record."""
        fields = line.rstrip("\n").split(" ", 6)
        if len(fields) != 7:
            return None
        codes, started, ended, job_id, node, why, detail = fields
        try:
            numbers = () if codes == "-" else tuple(int(code) for code in codes.split(","))
            return cls(numbers, float(started), float(ended), job_id, node, why, detail)
        except ValueError:
            return None

    @property
    def provisional(self) -> bool:
        """Something ended the command from outside; the system may say what."""
        if self.why == "time":
            return False
        return self.why.startswith("signal:") or self.why == "requeued" or self.exit_codes[-1:] in _LAST_KILLED

    def outcome(self) -> Outcome:
        """How the attempt ended, as far as the record alone tells."""
        return Outcome(
            self._verdict(),
            self.exit_codes,
            detail=self._said(),
            node=self.node,
            started=self.started,
            ended=self.ended,
        )

    def _verdict(self) -> Verdict:
        if self.why == "exit":
            return Verdict.OK if not any(self.exit_codes) else Verdict.FAILED
        if self.why.startswith("signal:"):
            return Verdict.FAILED if self.why in _WARNINGS else Verdict.CANCELLED
        return {"time": Verdict.TIME_LIMIT, "requeued": Verdict.PREEMPTED}.get(self.why, Verdict.FAILED)

    def _said(self) -> str:
        if self.why.startswith("signal:"):
            return f"ended by signal {self.why.removeprefix('signal:')}"
        if self.why == "requeued":
            return "the scheduler started it anew after its first start was cut short"
        if self.why == "time":
            return "it ran longer than its time limit"
        if self.exit_codes[-1:] in _LAST_KILLED:
            return f"killed by signal {self.exit_codes[-1] - 128}"
        return self.detail


_WARNINGS = frozenset({"signal:USR1", "signal:USR2"})
"""They ask nobody to end, so a failure after one is the command's own."""

_LAST_KILLED = frozenset((code,) for code in _KILLED)
