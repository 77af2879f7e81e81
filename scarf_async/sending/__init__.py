"""Carrying out a call: attempts, retries, pace, looking before a create is sent again."""
