"""The command line: reads the words, prints what happened, and ends with the exit code.

`app` has the application and its help, `commands` the list of the commands, `console` all that is
printed, and one module for each kind of command has the commands.

May import: accepting, costs, disk, doctor, ledger, loading, looking, pipeline, report, sample,
sample/history, settings, setup, sources, store, surveying, text.
"""

from __future__ import annotations

from cloudbill.cli.app import app, main

__all__ = ["app", "main"]
