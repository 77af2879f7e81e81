"""Exports as async streams of records, and as files."""

from scarf_async.exports.group import Exports
from scarf_async.exports.save import SavedExport
from scarf_async.exports.source import Download, ExportClient, OnMalformed
from scarf_async.exports.stream import Export, ExportStream

__all__ = ["Download", "Export", "ExportClient", "ExportStream", "Exports", "OnMalformed", "SavedExport"]
