"""Carrying out calls: attempts, retries, rate limits, and lookups before a create is sent again."""
