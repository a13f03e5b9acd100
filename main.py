"""Loads a provider's exports: `python main.py azure`, or `all`, which is also the default."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.argv[1:] = ["load", *(sys.argv[1:] or ["all"])]
    runpy.run_module("cloudbill", run_name="__main__", alter_sys=True)
