"""Loads a provider's exports: `python main.py azure`, or `all`, which is also the default."""

from __future__ import annotations

import sys

from cloudbill.__main__ import main

if __name__ == "__main__":
    main(["load", *(sys.argv[1:] or ["all"])])
