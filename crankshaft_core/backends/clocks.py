"""Whether another machine's clock agrees with ours, from what it showed between two moments of ours. Pure."""

from __future__ import annotations

__all__ = ["ahead", "disagreement"]

_MOST = 5.0
"""Seconds by which clocks may differ: more confuses what compares times of files, as make and Snakemake do."""


def ahead(first: float, last: float, *, after: float, before: float) -> float:
    """Seconds by which a clock is ahead of ours, at least; negative: behind; 0 where it may be right.

    It showed `first` when ours had shown `after` already, and `last` when ours did not yet show `before`.
    """
    if last > before:
        return last - before
    return min(0.0, first - after)


def disagreement(whose: str, seconds: float) -> str | None:
    """The words for a clock that is so far ahead; None where that is little."""
    if abs(seconds) <= _MOST:
        return None
    return (
        f"the clock of {whose} is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} that of this machine"
    )
