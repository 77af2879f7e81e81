"""Version 2, as the emulator speaks it."""
