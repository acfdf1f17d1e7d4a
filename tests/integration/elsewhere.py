"""This machine, reached the way another one is: by scripts alone."""

from __future__ import annotations

from crankshaft_core.drivers.base import Completed
from crankshaft_core.drivers.local import LocalDriver
from crankshaft_core.errors import AnswerLostError, TransportError


class Elsewhere(LocalDriver):
    """Has none of the short cuts of a place whose files are ours."""

    @property
    def where(self) -> str:
        return "elsewhere"

    @property
    def local(self) -> bool:
        return False


class Faulty(Elsewhere):
    """Loses what it is told to lose: the call, so that nothing happens, or its answer, when all has happened."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.lose_calls = 0
        self.lose_answers = 0

    async def run(self, script: str, *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        self.scripts.append(script)
        if self.lose_calls:
            self.lose_calls -= 1
            raise TransportError("no route to elsewhere")
        done = await super().run(script, stdin=stdin, timeout=timeout)
        if self.lose_answers:
            self.lose_answers -= 1
            raise AnswerLostError("the connection to elsewhere broke")
        return done
