"""The pages of docs/, and what their fenced blocks promise.

Comments on the lines before a fence say what becomes of the block in tests:

- `<!-- file: NAME -->`: it is written to that file, for the commands that follow on the page;
- `<!-- run: PLACE -->`: its commands are run, in PLACES; those of one page in turn, in one directory;
- `<!-- not run: WHY -->`, `<!-- not loaded: WHY -->`: it is only read by people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PLACES = ("here", "slurm by ssh")
COMMANDS = ("sh", "bash", "console", "shell")
"""What a fence calls a block of commands."""

MARKS = ("file", "run", "not run", "not loaded")

_FENCE = re.compile(
    r"(?P<marks>(?:^ *<!-- [a-z ]+: [^\n]+ -->\n)*)"
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- ([a-z ]+): (.+?) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: str
    line: int
    language: str
    text: str
    marks: Mapping[str, str]
    """What the comments before it say, by their first words."""

    def __str__(self) -> str:
        return f"docs/{self.page}:{self.line}"


def pages() -> list[str]:
    """The names of the pages, sorted."""
    return sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def blocks(page: str) -> Iterator[Block]:
    """The page's blocks, in order."""
    text = (DOCS / page).read_text()
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        indent, body = found["indent"], found["text"]
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) if indent else body
        yield Block(page, line, found["language"], body, dict(_MARK.findall(found["marks"])))


def all_blocks() -> list[Block]:
    """Those of all pages."""
    return [block for page in pages() for block in blocks(page)]
