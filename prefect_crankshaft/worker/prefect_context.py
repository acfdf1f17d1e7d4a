"""Prefect's run context, for functions that use Prefect; for others Prefect is not even imported."""

from __future__ import annotations

import sys

from prefect_crankshaft.worker.records import Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def provide_prefect(
    number: int, context: bytes, records: Records, call: tuple[Callable[..., object], Any, Any]
) -> None:
    """Enter it now, if Prefect is there, or as soon as the function has imported Prefect."""

    def hydrate_now() -> None:
        hydrate(number, context, records, call)

    if "prefect" in sys.modules:
        hydrate_now()
    else:
        sys.meta_path.insert(0, PrefectFinder(hydrate_now))


def hydrate(number: int, context: bytes, records: Records, call: tuple[Callable[..., object], Any, Any]) -> None:
    """Enter the run context for as long as the process lives, and let the function's logs be records."""
    import inspect
    import pickle

    from prefect.context import hydrated_context
    from prefect.logging.configuration import PROCESS_LOGGING_CONFIG, setup_logging
    from prefect.logging.handlers import set_api_log_sink
    from prefect.results import ResultStore

    function, args, kwargs = call
    values: dict[str, Any] = pickle.loads(context)  # noqa: S301 - made by the flow that runs us
    for name in ("flow_run_context", "task_run_context"):
        if name in values:
            values[name]["result_store"] = ResultStore()
    task_run = values["task_run_context"]
    task_run["task"].fn = function
    task_run["parameters"] = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    if not PROCESS_LOGGING_CONFIG:
        setup_logging()  # an older Prefect does not when its context is entered (seen in 3.6.20)
    set_api_log_sink(lambda log: records.emit(number, "log", {k: v for k, v in log.items() if k != "__payload_size__"}))
    entered = hydrated_context(values)
    entered.__enter__()
    KEPT.append(entered)


KEPT: list[object] = []
"""Contexts left open: an import within the function may have entered them in a context that has ended since."""


class PrefectFinder:
    """A finder, and a loader: calls `hydrate` once the function has imported Prefect for the first time."""

    def __init__(self, hydrate: Callable[[], None]) -> None:
        self.hydrate = hydrate

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Import Prefect in here, and let the import that asked for it find the result."""
        if name != "prefect":
            return None
        from importlib.machinery import ModuleSpec

        sys.meta_path.remove(self)
        __import__("prefect")
        self.hydrate()
        loader: Any = self  # by its methods
        return ModuleSpec(name, loader)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module that is there already."""
        self.module = sys.modules[spec.name]
        self.spec = self.module.__spec__
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """It was executed; its own spec is put back."""
        module.__spec__ = self.spec
