"""What was submitted, durably: by it a run survives its killed client."""

from crankshaft_core.journal.journal import Entry, Journal, Stage

__all__ = ["Entry", "Journal", "Stage"]
