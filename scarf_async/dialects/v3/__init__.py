"""Version 3 of the service: aggregations."""
