"""GA4GH Task Execution Service, 1.0 and 1.1."""

from crankshaft_core.backends.tes.backend import TESBackend

__all__ = ["TESBackend"]
