"""Version 1, as the emulator speaks it."""
