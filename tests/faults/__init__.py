"""Every kind of call under every fault: `table.md` says what must happen."""
