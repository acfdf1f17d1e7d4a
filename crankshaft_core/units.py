"""Sizes in GiB and durations in seconds, read from what people write."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

__all__ = ["GiB", "Seconds", "parse_duration", "parse_size"]

_GIB = 1024**3
_SIZE_UNITS = {
    "b": 1,
    **{p: 1024**n for n, p in enumerate(["k", "m", "g", "t", "p"], start=1)},
    **{p + "ib": 1024**n for n, p in enumerate(["k", "m", "g", "t", "p"], start=1)},
    **{p + "b": 1000**n for n, p in enumerate(["k", "m", "g", "t", "p"], start=1)},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]*)\s*")

_TIME_UNITS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z]+)\s*")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?")


def parse_size(value: object) -> object:
    """GiB as a float: a number is GiB already; text may carry a unit.

    `K M G T` and `KiB MiB GiB TiB` are powers of 1024, `KB MB GB TB` powers of 1000.
    Raises ValueError for text that is no size. Other types are left for pydantic to refuse.
    """
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    unit = match[2].lower() if match else ""
    if match is None or (unit and unit not in _SIZE_UNITS):
        raise ValueError(f"{value!r} is not a size; write GiB as a number (8) or with a unit ('8GiB', '500MB')")
    return float(match[1]) * (_SIZE_UNITS[unit] / _GIB if unit else 1.0)


def parse_duration(value: object) -> object:
    """Seconds as a float, from "90m", "1h30m", "2d", "1-02:00:00", "01:30:00" or a timedelta.

    A bare number is refused, since one person reads minutes and the next one seconds.
    """
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # a ValueError, since that is what pydantic reports with the field's name
        raise ValueError(  # noqa: TRY004
            f"{value} has no unit; write '{value}m' for minutes or '{value}s' for seconds"
        )
    if not isinstance(value, str):
        raise ValueError("write a duration with a unit, such as '90m' or '2h'")  # noqa: TRY004 (as above)
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d*)?", text):
        raise ValueError(f"'{text}' has no unit; write '{text}m' for minutes or '{text}s' for seconds")
    clock = _CLOCK.fullmatch(text)
    if clock:
        return _clock_seconds(clock)
    parts = _TIME_PART.findall(text)
    known = all(unit.lower() in _TIME_UNITS for _, unit in parts)
    if not parts or not known or _TIME_PART.sub("", text):
        raise ValueError(f"{value!r} is not a duration; write it with a unit, such as '90m', '2h' or '1h30m'")
    return sum(float(number) * _TIME_UNITS[unit.lower()] for number, unit in parts)


def _clock_seconds(clock: re.Match[str]) -> float:
    """`[days-]hours:minutes[:seconds]`, as in Slurm's `--time` with hours (sbatch(1))."""
    days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    if clock[1] is None and clock[4] is None:
        raise ValueError(
            f"'{clock[0]}' may be hours:minutes or minutes:seconds; write '{clock[0]}:00' or use a unit ('90m')"
        )
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


GiB = Annotated[float, BeforeValidator(parse_size)]
"""A size in GiB (2**30 bytes): a number, or text with a unit."""

Seconds = Annotated[float, BeforeValidator(parse_duration)]
"""A duration in seconds: text with a unit, or a timedelta; never a bare number."""
