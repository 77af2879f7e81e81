"""Version 1 of the API in the emulator."""
