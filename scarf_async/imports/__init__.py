"""Imports: your own events into Scarf, in batches."""

from scarf_async.imports.group import Imports
from scarf_async.imports.report import ImportBatch, ImportProgress, ImportReport

__all__ = ["ImportBatch", "ImportProgress", "ImportReport", "Imports"]
