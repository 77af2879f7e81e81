"""`python -m scarf_async`: the command line."""

from scarf_async.cli import main

if __name__ == "__main__":
    main()
