"""The command line: reads the words, prints what happened, and ends with the exit code.

`app` has the application and its help, `console` all that is printed, and one module for each kind
of command has the commands.
"""

from __future__ import annotations

from cloudbill.cli import explaining, initialising, loading, looking, reporting, setting_up
from cloudbill.cli.app import app, main

__all__ = [
    "app",
    "explaining",
    "initialising",
    "loading",
    "looking",
    "main",
    "reporting",
    "setting_up",
]
