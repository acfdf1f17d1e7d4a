"""The engine: named backends, limits, polling, cancellation, retry. It owns time; backends own translation."""

from crankshaft_core.engine.engine import Engine
from crankshaft_core.engine.handle import TaskHandle

__all__ = ["Engine", "TaskHandle"]
