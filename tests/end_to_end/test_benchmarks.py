"""The benchmarks work, at sizes that measure nothing, and a wrong total is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest
from benchmarks import data, page
from benchmarks.__main__ import NAMES
from benchmarks.figures import Figure, as_json
from benchmarks.processes import Command, Spread, python, run
from benchmarks.targets import TARGETS

from end_to_end.conftest import ROOT
from end_to_end.imported import imported_command

if TYPE_CHECKING:
    from pathlib import Path

TINY = {
    "--rows": "200",
    "--runs": "1",
    "--objects": "500",
    "--months": "3",
    "--runs-per-month": "2",
    "--peer-rows": "200",
    "--slow-peer-rows": "100",
    "--memory-rows": "100,200",
    "--backfill-rows": "50",
}


@pytest.mark.parametrize("name", NAMES)
def test_each_benchmark_runs_and_finds_every_total_exact(name: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--json", "--only", name),
            *("--scratch", str(tmp_path), "--timeout", "280"),
            *(word for option in TINY.items() for word in option),
        ],
        cwd=ROOT,
        env={**os.environ, "BENCH_CLOUDBILL": str(imported_command())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    results = json.loads(result.stdout)
    figures = {figure["name"]: figure for figure in results["figures"]}
    assert {target for target in TARGETS if target.startswith(f"{name}.")} <= set(figures)
    assert figures
    assert all(figure["value"]["median"] >= 0 for figure in figures.values())
    assert str(tmp_path) not in "\n".join(page.benchmarks_page(results))


class TestExactness:
    @pytest.fixture
    def loaded(self, tmp_path: Path) -> tuple[data.Export, Path]:
        export = data.azure(tmp_path, rows=60)
        database = tmp_path / "floor.duckdb"
        run(python("floor_azure", str(database), *map(str, export.parts)))
        return export, database

    def test_what_was_written_is_found_equal(self, loaded: tuple[data.Export, Path]) -> None:
        export, database = loaded
        assert data.check_totals(database, "bill", export)

    @pytest.mark.parametrize(
        "spoil",
        [
            "UPDATE bill SET EffectiveCost = EffectiveCost + 1e-18::DECIMAL(38,18) WHERE rowid = 0",
            "DELETE FROM bill WHERE rowid = 0",
            "ALTER TABLE bill ALTER ListCost TYPE DECIMAL(38,9)",
            "ALTER TABLE bill DROP x_BilledCostInUsd",
        ],
    )
    def test_the_smallest_difference_is_found(
        self, spoil: str, loaded: tuple[data.Export, Path]
    ) -> None:
        export, database = loaded
        with duckdb.connect(str(database)) as connection:
            connection.execute(spoil)
        assert not data.check_totals(database, "bill", export)

    def test_a_fast_figure_that_is_not_exact_is_not_met(self) -> None:
        fast = Spread.of([0.5])
        for exact, is_met in ((True, True), (False, False)):
            figure = as_json(Figure(name="aws_duckdb.two_parts", value=fast, exact=exact))
            assert figure["met"] is is_met


class TestMeasuring:
    def test_a_process_is_measured_from_outside(self) -> None:
        work = "block = bytearray(90_000_000); sum(range(3_000_000)); print(len(block))"
        measured = run(Command(words=(sys.executable, "-c", work)))
        assert measured.output == "90000000\n"
        assert measured.peak_bytes > 90_000_000
        assert measured.cpu_s > 0
        assert measured.wall_s > 0

    def test_a_process_that_fails_or_hangs_says_so(self) -> None:
        with pytest.raises(RuntimeError, match="no such thing"):
            run(Command(words=(sys.executable, "-c", "raise SystemExit('no such thing')")))
        with pytest.raises(RuntimeError, match="not done after"):
            run(Command(words=(sys.executable, "-c", "input or 1\nwhile 1: pass"), timeout_s=0.3))
