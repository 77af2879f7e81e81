"""Export jobs: a range of days, fetched window by window into a directory, resumable and verifiable."""

from scarf_async.exports.formats import ExportFormat, ExportFormatLike
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.report import ExportProgress, ExportReport, WindowReport
from scarf_async.exports.jobs.verify import FileProblem, verify_export

__all__ = [
    "ExportFormat",
    "ExportFormatLike",
    "ExportJob",
    "ExportProgress",
    "ExportReport",
    "FileProblem",
    "WindowReport",
    "verify_export",
]
