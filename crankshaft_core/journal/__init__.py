"""What was submitted, durably: by it a run survives its killed client."""

from crankshaft_core.journal.found import Found, journals_here, read_journals
from crankshaft_core.journal.journal import Entry, Journal, Stage

__all__ = ["Entry", "Found", "Journal", "Stage", "journals_here", "read_journals"]
