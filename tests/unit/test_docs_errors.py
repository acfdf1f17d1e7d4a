"""docs/errors.md words messages as the code does, and leaves no kind of error out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from crankshaft_core import errors
from crankshaft_core.task import Verdict
from tests.doc_pages import DOCS

TEXT = (DOCS / "errors.md").read_text()
PACKAGES = ("crankshaft_core", "prefect_crankshaft", "snakemake_executor_crankshaft")
MESSAGES = re.findall(r"^\| (`+.+?`+) \|", TEXT.split("## Before")[1], re.MULTILINE)
VERDICTS = {str(verdict) for verdict in Verdict}


@pytest.fixture(scope="module")
def said() -> str:
    """All that the code can say: its texts, without what is filled into them."""
    sources = [file for package in PACKAGES for file in sorted((DOCS.parent / package).rglob("*.py"))]
    wrapper = DOCS.parent / "crankshaft_core" / "backends" / "generic" / "wrapper.bash"
    return "\n".join([*(text for file in sources for text in texts(file.read_text())), wrapper.read_text()])


def texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def pieces(message: str) -> list[str]:
    """What of a message does not differ."""
    inner = message.strip("` ")
    return [piece for part in inner.split("…") if len(piece := part.strip(" '\"(){}~:;,.?`")) > 3]


def made_of(piece: str, said: str, *, most: int = 3) -> bool:
    """It is said as a whole, or put together of a few parts that are."""
    if piece in said:
        return True
    cuts = range(len(piece) - 4, 3, -1) if most > 1 else ()
    longest = next((cut for cut in cuts if piece[:cut] in said), None)
    return longest is not None and made_of(piece[longest:], said, most=most - 1)


@pytest.mark.parametrize("message", [m for m in MESSAGES if m.strip("`") not in VERDICTS])
def test_a_message_is_worded_as_in_the_code(message: str, said: str) -> None:
    assert [piece for piece in pieces(message) if not made_of(piece, said)] == []


def test_every_error_has_its_place() -> None:
    assert [name for name in errors.__all__ if f"`{name}`" not in TEXT] == []


def test_every_verdict_but_success_has_its_fix() -> None:
    assert [verdict for verdict in sorted(VERDICTS - {"ok"}) if f"| `{verdict}` |" not in TEXT] == []
