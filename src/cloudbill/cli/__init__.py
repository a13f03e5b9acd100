"""The command line: reads the arguments, prints what happened, and ends with the exit code.

`app` has the application and its help, `commands` lists the commands, `console` prints, `display`
shows a load on a terminal, `each_source` loops over the sources, `signals` listens to Ctrl-C,
`output` guards the streams, and the commands are in one module for each kind.

May import: accepting, alerts, costs, disk, doctor, focus, ledger, loading, looking, pipeline,
planning, report, sample, sample/history, settings, setup, surveying, text.
"""

from __future__ import annotations

from cloudbill.cli.app import app, main

__all__ = ["app", "main"]
