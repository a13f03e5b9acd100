"""Parts from stores that BigQuery cannot read are uploaded, several at once."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.errors import LoadError, StoppedError
from cloudbill.loading.events import Event, Progressed
from cloudbill.loading.stopping import Stop
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.progress import Stage
from cloudbill.warehouses.bigquery import client as bigquery_client
from cloudbill.warehouses.bigquery.uploading import AT_ONCE
from contract.deliveries import AzureCsvWriter, AzureWriter, Charge, Delivery, Writer, at, charges
from contract.places import Case, GcsAndBigQuery
from emulators.bigquery.errors import JobError
from emulators.fault_proxy import Delay, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

PARTS = 12
COSTS = [str(number) for number in range(1, PARTS + 1)]


class FolderAndBigQuery(GcsAndBigQuery):
    """A folder on this machine, and BigQuery."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        super().__init__(cloud)
        self.bucket = str(folder / "exports")

    def put(self, folder: Path) -> None:
        """Adds the files below a folder."""
        for file in folder.rglob("*"):
            target = Path(self.bucket) / file.relative_to(folder)
            if file.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[FaultProxy]:
    """Lies before BigQuery, where a test wants it."""
    with FaultProxy(cloud.bigquery.url) as started:
        yield started


@pytest.fixture(params=[AzureWriter, AzureCsvWriter])
def case(
    cloud: Cloud,
    proxy: FaultProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Case:
    """A folder with an old month in BigQuery, and a newer run in many parts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
    writer: Writer = request.param()
    case = Case(place=FolderAndBigQuery(cloud, tmp_path), writer=writer, scratch=tmp_path)
    case.deliver(run("old", *COSTS, parts=1))
    assert case.load().exit_code == 0
    case.deliver(run("new", *COSTS))
    return case


def run(run_id: str, *costs: str, parts: int = PARTS) -> Delivery:
    """A run with one row in each part; the later its name, the older it is."""
    submitted = at("2025-10-31 22:00" if run_id == "new" else "2025-10-15 04:00")
    rows = charges("2025-10", *costs, note=run_id)
    return Delivery(
        period="2025-10", charges=rows, submitted_at=submitted, run_id=run_id, parts=parts
    )


def notes(case: Case) -> set[str]:
    """Which runs the table holds."""
    return {charge.note for charge in case.held()}


def uploads(cloud: Cloud) -> list[dict[str, Any]]:
    """The jobs that loaded a part of the newer run."""
    loads = [job for job in cloud.bigquery.jobs() if job["kind"] == "load"]
    return [job for job in loads if "bill_staging_" in str(job["configuration"])][1:]


def left_behind(client: bq.Client) -> list[str]:
    """Staging tables that are still there, and files of this process."""
    tables = [table.table_id for table in client.list_tables("acme.finops")]
    files = Path(tempfile.gettempdir()).glob(f"cloudbill-{os.getpid()}-*")
    return [*(name for name in tables if "_staging_" in name), *(file.name for file in files)]


class Together:
    """Counts the uploads that BigQuery has at the same time, and lets them wait for each other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        upload = bigquery_client.PersistentClient.upload

        def counted(client: Any, *arguments: Any, **options: Any) -> Any:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            try:
                time.sleep(0.3)  # longer than a part takes to be rewritten
                return upload(client, *arguments, **options)
            finally:
                with self._lock:
                    self._now -= 1

        monkeypatch.setattr(bigquery_client.PersistentClient, "upload", counted)


def test_a_few_parts_are_on_their_way_at_once(
    case: Case, cloud: Cloud, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = Together(monkeypatch)
    outcome = case.load()
    assert outcome.exit_code == 0
    assert [result.rows for result in outcome.results] == [PARTS]
    assert case.held() == list(run("new", *COSTS).charges)
    assert len(uploads(cloud)) == PARTS
    assert 1 < together.most <= AT_ONCE
    assert left_behind(client) == []


def test_a_part_that_fails_lets_no_other_begin(case: Case, cloud: Cloud, client: bq.Client) -> None:
    begun: list[str] = []

    def refuse(stage: str, job: dict[str, Any]) -> None:
        if stage == "start" and "bill_staging_" in str(job["configuration"]):
            begun.append(job["job_id"])
            if len(begun) == 2:
                raise JobError("invalid", "Error while reading data")

    cloud.bigquery.faults.append(refuse)
    (failure,) = case.load().failures
    assert isinstance(failure.error, LoadError)
    assert "Error while reading data" in str(failure.error)
    assert len(begun) <= 2 + AT_ONCE
    assert notes(case) == {"old"}
    assert left_behind(client) == []


def test_a_stop_leaves_the_old_month(
    case: Case, cloud: Cloud, client: bq.Client, proxy: FaultProxy
) -> None:
    """The parts that are on their way are waited for, and no other begins."""
    proxy.add("POST", "/upload/", Delay(0.3), times=None)
    stop = Stop()

    def ask(event: Event) -> None:
        if isinstance(event, Progressed) and event.progress.stage is Stage.STAGING:
            stop.ask()

    outcome = load_source(case.settings, Selection(), ask, stop=stop, wants_progress=True)
    (failure,) = outcome.failures
    assert isinstance(failure.error, StoppedError)
    assert len(uploads(cloud)) <= AT_ONCE
    assert notes(case) == {"old"}
    assert left_behind(client) == []
    assert case.load().exit_code == 0
    assert notes(case) == {"new"}


@pytest.mark.parametrize("case", [AzureWriter], indirect=True)
def test_a_large_part_goes_in_pieces(
    case: Case, monkeypatch: pytest.MonkeyPatch, proxy: FaultProxy
) -> None:
    """So that memory does not grow with the parts."""
    monkeypatch.setattr(bigquery_client, "_CHUNK_BYTES", 4 * 256 * 1024)
    source = random.Random(1)
    rows = [
        Charge(day=row.day, cost=row.cost, note=source.randbytes(30_000).hex())
        for row in run("new", *COSTS * 10).charges
    ]
    case.deliver(
        Delivery(
            period="2025-10",
            charges=rows,
            submitted_at=at("2025-11-02 04:00"),
            run_id="large",
            parts=1,
        )
    )
    assert case.load().exit_code == 0
    assert len(case.held()) == len(rows)
    puts = [seen for seen in proxy.log if seen.method == "PUT"]
    assert len(puts) > 3
