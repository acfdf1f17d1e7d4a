"""Memory and time as people write them. `-` is what nobody knows."""

from __future__ import annotations

__all__ = ["duration", "size"]


def size(gib: float | None) -> str:
    """In the unit that people would use."""
    if gib is None:
        return "-"
    return f"{gib:.1f} GiB" if gib >= 1 else f"{gib * 1024:.0f} MiB"


def duration(seconds: float | None) -> str:
    """Seconds, or from a minute on hours, minutes and seconds."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
