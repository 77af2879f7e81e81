"""Load export jobs into PostgreSQL or DuckDB, each window in one transaction (extra `postgres` or `data`)."""

from scarf_async.exports.loading.report import LoadedWindow, LoadReport, LoadStatus

__all__ = ["LoadReport", "LoadStatus", "LoadedWindow"]
