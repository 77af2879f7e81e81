"""Imports: events of one's own into Scarf, in batches."""
