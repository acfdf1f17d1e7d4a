"""Snakemake's argument text, taken apart again into arguments.

Snakemake writes the inner run's arguments as Python literals (`repr`), paths in the shell's quoting, and the rest
bare. A shell reads `repr`'s backslashes and double quotes its own way, so a name with a quote, a `$` or a newline
would arrive as another one. Taken apart here, they can be quoted for the shell properly.
"""

from __future__ import annotations

import ast
import re
import shlex

__all__ = ["split_arguments"]

_ESCAPE = r"""\\(?:[\\'nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"""  # those of `repr`, and no others
_LITERAL = re.compile(rf"""('(?:[^'\\\n\r]|{_ESCAPE})*'|"(?:[^"\\\n\r]|{_ESCAPE})*")(?=\s|$)""")
_WORD = re.compile(r"""(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])+""", re.DOTALL)
_SPACE = re.compile(r"\s*")


def split_arguments(text: str) -> list[str]:
    """The arguments in `text`: a whole word in quotes is a Python literal, anything else a word of the shell.

    Raises ValueError where a quote is not closed.
    """
    arguments: list[str] = []
    position = _end(_SPACE, text, 0)
    while position < len(text):
        literal = _LITERAL.match(text, position)
        end = literal.end() if literal else _end(_WORD, text, position)
        if end == position:
            raise ValueError(f"no closing quotation in {text[position : position + 80]!r}")
        word = text[position:end]
        arguments.append(ast.literal_eval(word) if literal else shlex.split(word)[0])
        position = _end(_SPACE, text, end)
    return arguments


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
