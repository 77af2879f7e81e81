"""The emulator's rules, which all versions share: no JSON and no paths."""
