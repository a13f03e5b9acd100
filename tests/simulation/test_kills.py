"""The command, killed at any point by a signal that nothing can catch, and run again."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cloudbill.sample import write_azure
from cloudbill.sample.history.simulation import HistoryRun, Layout, Month, deliver
from cloudbill.warehouses.bigquery import staging_tables
from contract.deliveries import AzureCsvWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case, GcsAndBigQuery
from end_to_end.imported import INSTALLED, imported_command
from figures import examples, record_figure

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

WORDS = ("load", "azure")
MONTHS = 3
Held = dict[str, tuple[int, Decimal]]
"""The rows and the billed cost of each month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the process is killed: so long after the n-th line that begins so, if it says it."""

    line: str = ""
    nth: int = 1
    delay_s: float = 0.0


BOUNDARIES = [
    Moment(line="Discovered"),
    Moment(line="Processing"),
    Moment(line="  Loaded"),
    Moment(line="Processing", nth=MONTHS),
    Moment(line="Completed", nth=MONTHS),
]
"""Every such line stands between two stages; after the last of them the ledger is written."""


def configure(folder: Path, bucket: str, **keys: str) -> None:
    """Writes the configuration of one source."""
    home = folder / ".dlt"
    home.mkdir()
    values = {"bucket": bucket, "prefix": "billing", "export_name": "focus-daily"} | keys
    lines = [f'{name} = "{value}"' for name, value in values.items()]
    (home / "config.toml").write_text(
        "\n".join(["[sources.azure_billing]", *lines, "[runtime]", "dlthub_telemetry = false"])
    )


def kill(folder: Path, moment: Moment) -> None:
    """Starts the loader, and kills it at a moment if it is not through by then."""
    with subprocess.Popen(
        [imported_command(), *WORDS], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = moment.nth
        for line in process.stdout if moment.line else ():
            left -= line.startswith(moment.line)
            if not left:
                break
        # The pipe is read on: a process that cannot write would wait instead of being killed.
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        time.sleep(moment.delay_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        reader.join()
    is_killed = process.returncode == -signal.SIGKILL
    if is_killed:
        record_figure("loader processes killed by a signal")


def kill_with_spool(folder: Path, spool: Path) -> None:
    """Kills the loader while it has temporary files, which it then leaves behind."""
    command = [INSTALLED, *WORDS]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        while process.poll() is None and not any(spool.glob("cloudbill-*/*")):
            time.sleep(0.002)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert left_in(spool)
    record_figure("loader processes killed by a signal")


def load(folder: Path) -> str:
    """Runs the loader to its end; what it printed."""
    done = subprocess.run(
        [imported_command(), *WORDS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    record_figure("loader runs")
    return done.stdout


def write_runs(exports: Path, *, rows: int, day: int) -> Held:
    """Delivers one run for each month, and says what the months hold after them."""
    runs = [
        HistoryRun(
            run_id=f"run-{month}-{day}",
            month=month,
            submitted_at=month.plus(1).start.replace(day=day),
            last_day=month.days,
            rows=rows + month.month,
            parts=3,
        )
        for month in (Month(2025, 8).plus(later) for later in range(MONTHS))
    ]
    for run in runs:
        for event in deliver(run, run.submitted_at):
            Layout().apply(event, exports)
    return {str(run.month): (run.rows, run.total) for run in runs}


def held_by(database: Path) -> Held:
    """What the months hold."""
    with closing(duckdb.connect(str(database))) as connection:
        if not connection.execute("FROM duckdb_tables() WHERE table_name = 'bill'").fetchall():
            return {}
        rows = connection.execute(
            "SELECT strftime(BillingPeriodStart AT TIME ZONE 'UTC', '%Y-%m'), count(*), "
            "sum(BilledCost) FROM billing.bill GROUP BY 1"
        ).fetchall()
    return {month: (count, cost) for month, count, cost in rows}


def left_in(spool: Path) -> list[str]:
    """What cloudbill left in the folder of temporary files."""
    return sorted(path.name for path in spool.glob("cloudbill-*"))


class TestDuckDB:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with a configuration; the exports are still to come."""
        folder = tmp_path / "work"
        folder.mkdir()
        configure(folder, "./exports", table_name="bill", database="bills.duckdb")
        return folder

    def moments(self, seed: int, count: int) -> Iterator[Moment]:
        """Random times, most of them after the last load, where the ledger is written."""
        chance = random.Random(seed)
        for _ in range(count):
            yield Moment(delay_s=chance.uniform(0.0, 1.5))
            yield Moment(line="Completed", nth=MONTHS, delay_s=chance.uniform(0.0, 0.8))

    @pytest.mark.timeout(0)
    def test_what_was_killed_is_made_whole_by_the_next_run(self, folder: Path, spool: Path) -> None:
        exports, database = folder / "exports", folder / "bills.duckdb"
        old = write_runs(exports, rows=60, day=2)
        for moment in BOUNDARIES:
            kill(folder, moment)
            held = held_by(database)
            assert held.items() <= old.items(), moment
        kill_with_spool(folder, spool)
        load(folder)
        assert left_in(spool) == []
        assert held_by(database) == old
        # Newer runs of the same months come, and the loader is killed as it replaces them.
        new = write_runs(exports, rows=90, day=4)
        for moment in self.moments(seed=1, count=examples(1)):
            kill(folder, moment)
            held = held_by(database)
            assert held.keys() == old.keys()
            assert all(held[month] in (old[month], new[month]) for month in held), moment
        load(folder)
        assert held_by(database) == new
        assert "Processing" not in load(folder)
        assert left_in(spool) == []
        record_figure("kill sequences after which every month was whole")


def test_a_job_that_was_submitted_before_the_kill_is_taken_up_by_the_next_run(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    cloud.gcs.create_bucket("bills")
    (run,) = write_azure(tmp_path / "exports", months=1, rows=60, seed=1, runs_per_month=1)
    cloud.gcs.upload_tree(tmp_path / "exports", "bills")
    configure(tmp_path, "bills", table_name="bill", project_id=PROJECT)
    is_submitted, may_end = threading.Event(), threading.Event()

    def hold(stage: str, job: dict[str, Any]) -> None:
        if stage == "start" and "bill$202510" in str(job["configuration"]):
            is_submitted.set()
            may_end.wait(30)

    cloud.bigquery.faults.append(hold)
    command = [INSTALLED, *WORDS]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert is_submitted.wait(60)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    record_figure("loader processes killed by a signal")
    cloud.bigquery.faults.remove(hold)
    may_end.set()
    load(tmp_path)
    jobs = [job for job in cloud.bigquery.jobs() if "bill$202510" in str(job["configuration"])]
    assert [job["kind"] for job in jobs] == ["load"]
    client = cloud.bigquery.client(PROJECT)
    (row,) = client.query(
        f"SELECT COUNT(*), SUM(BilledCost) FROM {PROJECT}.billing.bill"  # noqa: S608
    ).result()
    assert tuple(row.values()) == (run.rows, run.totals["EUR"]["BilledCost"])
    (tracked,) = client.query(
        f"SELECT job_id FROM {PROJECT}.billing.bill_load_tracking"  # noqa: S608
    ).result()
    assert tracked["job_id"] == jobs[0]["job_id"]


def test_a_staging_table_of_a_dead_process_is_removed_by_the_next_load_of_its_table(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    # Whatever is there already counts as old.
    monkeypatch.setattr(staging_tables, "_LEFT_AFTER", timedelta(0))
    case = Case(place=GcsAndBigQuery(cloud), writer=AzureCsvWriter(), scratch=tmp_path)
    client = cloud.bigquery.client(PROJECT)
    client.create_dataset(f"{PROJECT}.{DATASET}")
    for name in ("bill_staging_202510_0123abcd", "bill_staging_of_mine", "other_staging_202510_0"):
        client.create_table(f"{PROJECT}.{DATASET}.{name}")
    delivery = Delivery(
        period="2025-10", charges=charges("2025-10", "1"), submitted_at=at("2025-10-31 22:00")
    )
    case.deliver(delivery)
    assert case.load().exit_code == 0
    assert case.held() == list(delivery.charges)
    left = {table.table_id for table in client.list_tables(f"{PROJECT}.{DATASET}")}
    assert {name for name in left if "staging" in name} == {
        "bill_staging_of_mine",
        "other_staging_202510_0",
    }
