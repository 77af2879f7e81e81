"""Version 2 of the API in the emulator."""
