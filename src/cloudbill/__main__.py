"""`python -m cloudbill`, for when the command is not on the path."""

from __future__ import annotations

from cloudbill.cli import main

if __name__ == "__main__":
    main()
