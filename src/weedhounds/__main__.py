"""``python -m weedhounds`` is the command ``weedhounds``."""

from weedhounds.cli import main

if __name__ == "__main__":
    main()
