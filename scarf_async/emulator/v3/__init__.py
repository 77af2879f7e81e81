"""API v3: aggregations."""
