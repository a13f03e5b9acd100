"""The command: `just bench`, or `python -m benchmarks`; `--help` tells its options."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks import page
from benchmarks.figures import Options
from benchmarks.machine import describe
from benchmarks.one import BENCHMARKS
from benchmarks.processes import ROOT

NAMES: Final = tuple(BENCHMARKS)
RESULTS: Final = ROOT / "benchmarks" / "results.json"


def main() -> int:
    """Runs what is asked for; 1 if a benchmark failed or a total was wrong, whatever the times."""
    asked = _parser().parse_args()
    if asked.from_results:
        page.write(json.loads(RESULTS.read_text()))
        return 0
    results = _run_all(asked)
    print(json.dumps(results, indent=1) if asked.json else page.as_text(results))
    if asked.write_docs:
        kept = _merged(results) if asked.only else results
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        page.write(kept)
    wrong = [figure for figure in results["figures"] if figure["exact"] is False]
    return 1 if results["failed"] or wrong else 0


def _merged(results: dict[str, Any]) -> dict[str, Any]:
    """The kept results with these in place of the figures of the same name and size."""

    def key(figure: dict[str, Any]) -> tuple[str, object]:
        return figure["name"], figure["about"].get("rows")

    if not RESULTS.exists():
        return results
    kept: dict[str, Any] = json.loads(RESULTS.read_text())
    new = {key(figure): figure for figure in results["figures"]}
    figures = [new.pop(key(figure), figure) for figure in kept["figures"]]
    failed = {name: why for name, why in kept["failed"].items() if name not in results["seconds"]}
    return kept | {
        "machine": results["machine"],
        "seconds": kept["seconds"] | results["seconds"],
        "figures": [*figures, *new.values()],
        "failed": failed | results["failed"],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__)
    add = parser.add_argument
    add("--rows", type=int, default=1_000_000, help="rows of the month of Azure")
    add("--aws-rows", type=int, help="rows of the month of AWS, by default as many")
    add("--runs", type=int, default=3, help="rounds of each comparison")
    add("--only", action="append", choices=NAMES, help="this benchmark; may be repeated")
    add("--skip", action="append", choices=NAMES, default=[], help="all but this one")
    add("--objects", type=int, default=50_000, help="objects of the listing")
    add("--months", type=int, default=36, help="months of the backfill and of the run without news")
    add("--runs-per-month", type=int, default=30, help="runs that are known of each")
    add("--peer-rows", type=int, help="rows for dlt with Arrow or files, by default as many")
    add("--slow-peer-rows", type=int, default=10_000, help="rows for the slow peers")
    add("--memory-rows", default="1000000,10000000", help="rows of the smaller and larger month")
    add("--remote-rows", type=int, help="rows of the month over a network, by default as many")
    add("--backfill-rows", type=int, default=10_000, help="rows of each month of the backfill")
    add("--timeout", type=float, default=1200, help="seconds for one benchmark")
    add("--scratch", default=str(Path(tempfile.gettempdir(), "cloudbill-bench")))
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--output", help="write the JSON to a file as well, after each benchmark")
    add(
        "--write-docs",
        action="store_true",
        help="write results.json and the pages; with --only, what was not run stays as it was",
    )
    add("--from-results", action="store_true", help="the pages from results.json; runs nothing")
    return parser


def _options(asked: argparse.Namespace) -> Options:
    small, large = (int(word) for word in asked.memory_rows.split(","))
    return Options(
        rows=asked.rows,
        aws_rows=asked.aws_rows or asked.rows,
        runs=asked.runs,
        objects=asked.objects,
        months=asked.months,
        runs_per_month=asked.runs_per_month,
        peer_rows=asked.peer_rows or asked.rows,
        slow_peer_rows=asked.slow_peer_rows,
        memory_rows=(small, large),
        remote_rows=asked.remote_rows or asked.rows,
        backfill_rows=asked.backfill_rows,
        scratch=Path(asked.scratch).absolute(),
    )


def _run_all(asked: argparse.Namespace) -> dict[str, Any]:
    options = _options(asked)
    options.scratch.mkdir(parents=True, exist_ok=True)
    given = {name: value for name, value in asdict(options).items() if name != "scratch"}
    figures: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    took: dict[str, float] = {}
    results: dict[str, Any] = {}
    for name in asked.only or [name for name in NAMES if name not in asked.skip]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        began = time.perf_counter()
        found, problem = _run_one(name, options, asked.timeout)
        figures += found
        took[name] = round(time.perf_counter() - began, 1)
        if problem:
            failed[name] = problem
            print(f"{name} FAILED: {problem}", file=sys.stderr, flush=True)
        results = {
            "machine": describe(),
            "options": given,
            "seconds": took,
            "figures": figures,
            "failed": failed,
        }
        if asked.output:  # each time, so that a run that is stopped leaves what it has
            Path(asked.output).write_text(json.dumps(results, indent=1) + "\n")
    return results


def _run_one(name: str, options: Options, timeout_s: float) -> tuple[list[dict[str, Any]], str]:
    """The figures of a benchmark, and why there are no more of them."""
    given = asdict(options) | {"scratch": str(options.scratch)}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "figures.json")
        words = [sys.executable, "-m", "benchmarks.one", name, json.dumps(given), str(result)]
        # A group of its own, so that a server that it started ends with it.
        child = subprocess.Popen(
            words, cwd=ROOT, start_new_session=True, stdout=sys.stderr, stderr=subprocess.PIPE
        )
        problem = ""
        try:
            _, errors = child.communicate(timeout=timeout_s)
            told = errors.decode(errors="replace")
            print(told, file=sys.stderr, end="")
            if child.returncode != 0:
                problem = _problem(told, options.scratch)
        except subprocess.TimeoutExpired:
            problem = f"not done after {timeout_s:.0f} s"
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        figures = json.loads(result.read_text()) if result.exists() else []
    return figures, problem


def _problem(told: str, scratch: Path) -> str:
    """The line that says most of why a benchmark ended, without the places of this machine."""
    lines = [line for line in told.splitlines() if line.strip()] or ["it says nothing"]
    said = next((line for line in reversed(lines) if line.startswith("Failed ")), lines[-1])
    return said.replace(str(scratch), "...").replace(str(ROOT), "...")


if __name__ == "__main__":
    sys.exit(main())
