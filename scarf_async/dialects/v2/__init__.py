"""Version 2 of the service: an owner in every path, lists in pages, updates that read first."""
