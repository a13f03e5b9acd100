"""Tests the promises with more examples than a change must pass, and prints the counts.

    uv run --group dev python scripts/promises.py [TIMES] [TESTS...]

TIMES multiplies the full numbers (3 by default), of which every other run of the tests tries a
third; TESTS are what pytest is given, by default every module that tries examples or counts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COUNTING = re.compile(r"\b(?:tries|examples|record_figure)\(")


def main() -> int:
    """Runs the tests, adds up their figures, and gives pytest's exit code."""
    words = sys.argv[1:]
    times = words.pop(0) if words and words[0].replace(".", "", 1).isdigit() else "3"
    tests = words or counting_tests()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.jsonl")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *tests],
            cwd=ROOT,
            env={**os.environ, "CLOUDBILL_FIGURES": str(figures), "CLOUDBILL_EXAMPLES": times},
            check=False,
        )
        counted = read(figures)
    print()
    for name, count in sorted(counted.items()):
        print(f"{count:>10,}  {name}")
    verdict = "nothing lost" if done.returncode == 0 else "NOT ALL HELD, see above"
    print(f"\n{verdict}, {time.monotonic() - began:.0f} s")
    return done.returncode


def counting_tests() -> list[str]:
    """The test modules that try examples, or count what they try."""
    modules = (ROOT / "tests").rglob("test_*.py")
    return sorted(
        str(module.relative_to(ROOT))
        for module in modules
        if COUNTING.search(module.read_text(encoding="utf-8"))
    )


def read(figures: Path) -> Counter[str]:
    """The sum of each figure, whichever test counted it."""
    counted: Counter[str] = Counter()
    if figures.exists():
        for line in figures.read_text(encoding="utf-8").splitlines():
            figure = json.loads(line)
            counted[figure["figure"]] += figure["count"]
    return counted


if __name__ == "__main__":
    sys.exit(main())
