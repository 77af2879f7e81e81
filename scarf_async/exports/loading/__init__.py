"""Export jobs into a database: PostgreSQL or DuckDB, each window in one transaction (extra `postgres` or `data`)."""
