"""Whatever comes is read rightly, or refused in words: checks that `python -m tests.fuzz` runs at depth."""
