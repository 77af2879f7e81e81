"""Exports as async streams of records, and as files."""

from scarf_async.exports.group import Exports
from scarf_async.exports.jobs import (
    ExportFormat,
    ExportFormatLike,
    ExportJob,
    ExportProgress,
    ExportReport,
    FileProblem,
    WindowReport,
    verify_export,
)
from scarf_async.exports.loading import LoadedWindow, LoadReport
from scarf_async.exports.save import SavedExport
from scarf_async.exports.spec import OnMalformed
from scarf_async.exports.stream import Export, ExportStream

__all__ = [
    "Export",
    "ExportFormat",
    "ExportFormatLike",
    "ExportJob",
    "ExportProgress",
    "ExportReport",
    "ExportStream",
    "Exports",
    "FileProblem",
    "LoadReport",
    "LoadedWindow",
    "OnMalformed",
    "SavedExport",
    "WindowReport",
    "verify_export",
]
