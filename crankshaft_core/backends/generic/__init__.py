"""Submit, monitor and kill command templates."""

from crankshaft_core.backends.generic.backend import GenericBackend

__all__ = ["GenericBackend"]
