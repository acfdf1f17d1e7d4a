"""What jobs asked for against what they used, by rule."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from crankshaft_core.task import Resources, TaskResult
from snakemake_executor_crankshaft.amounts import duration, size

__all__ = ["Report"]

_HEAD = ("rule", "jobs", "cpus", "used", "%", "memory", "peak", "%", "time", "longest", "mean")


@dataclass(slots=True)
class _Rule:
    """One line of the table."""

    jobs: int = 0
    cpu: list[float] = field(default_factory=list[float])
    cores_used: list[float] = field(default_factory=list[float])
    ram: list[float] = field(default_factory=list[float])
    peak: list[float] = field(default_factory=list[float])
    limit: list[float] = field(default_factory=list[float])
    took: list[float] = field(default_factory=list[float])


class Report:
    """Collects, from any thread; then `lines` are the table. What a system does not tell is `-`."""

    def __init__(self) -> None:
        self._rules: dict[str, _Rule] = {}
        self._mutex = threading.Lock()

    def add(self, rule: str, asked: Resources, result: TaskResult) -> None:
        """Count one job that ended. `asked` is what its backend was asked for, defaults included."""
        with self._mutex:
            line = self._rules.setdefault(rule, _Rule())
            line.jobs += 1
            _note(line.cpu, asked.cpu)
            _note(line.ram, asked.ram)
            _note(line.limit, asked.time)
            _note(line.peak, result.peak_ram)
            took = None if result.started is None or result.ended is None else result.ended - result.started
            _note(line.took, took)
            if took and result.cpu_time is not None:
                line.cores_used.append(result.cpu_time / took)

    def lines(self) -> list[str]:
        """The table; nothing if no job has ended."""
        with self._mutex:
            rows = [_HEAD, *(_row(name, rule) for name, rule in sorted(self._rules.items()))]
        return _table(rows) if len(rows) > 1 else []


def _note(values: list[float], value: float | None) -> None:
    if value is not None:
        values.append(value)


def _row(name: str, rule: _Rule) -> Sequence[str]:
    """The most that was asked for and used; of cores the mean, since they are used up over time."""
    cpu, ram = _most(rule.cpu), _most(rule.ram)
    cores, peak = _mean(rule.cores_used), _most(rule.peak)
    return (
        name,
        str(rule.jobs),
        _number(cpu),
        _number(cores),
        _share(cores, cpu),
        size(ram),
        size(peak),
        _share(peak, ram),
        duration(_most(rule.limit)),
        duration(_most(rule.took)),
        duration(_mean(rule.took)),
    )


def _most(values: Iterable[float]) -> float | None:
    return max(values, default=None)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}".removesuffix(".0")


def _share(used: float | None, asked: float | None) -> str:
    return "" if used is None or not asked else f"{100 * used / asked:.0f}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
