"""Clouds that fail for now: the month is loaded once and whole, or the old month is unchanged."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import LoadError, PartMissingError, StoreError, TransientLoadError
from cloudbill.store import open_store
from cloudbill.warehouses.duckdb.opening import connect
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Delivery, at, charges
from contract.places import DATASET, Case, GcsAndBigQuery
from emulators.fault_proxy import (
    Action,
    Delay,
    Edit,
    FaultProxy,
    ResetAfter,
    ResetBefore,
    Status,
    Truncate,
)

if TYPE_CHECKING:
    from emulators.fixtures import Cloud
    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator

RETRY_FOR_S = "8"
"""One attempt may take two seconds, and the pauses begin with 33 milliseconds.

A busy machine may need longer by itself, so there may be more attempts than faults.
"""
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", note="old"),
    submitted_at=at("2025-10-15 04:00"),
)
NEW = Delivery(
    period="2025-10",
    charges=charges("2025-10", "2", "3", note="new"),
    submitted_at=at("2025-10-31 22:00"),
    run_id="new",
)
FAULTS: dict[str, Action] = {
    "unavailable": Status(503),
    "bad gateway": Status(502, "badGateway"),
    "too many requests": Status(429, "rateLimitExceeded"),
    "reset before": ResetBefore(),
    "reset after": ResetAfter(),
    "truncated": Truncate(10),
    "slow": Delay(2.5),
}
# aiohttp repeats a GET once by itself where a connection that it had kept turns out to be closed.
AGAIN_BY_AIOHTTP = {"reset before", "reset after"}
MONTH = r"bill\$202510"


class PatientBigQuery(GcsAndBigQuery):
    """Emulated, behind proxies, with little patience."""

    def options(self) -> dict[str, str]:
        """As usual, but fast."""
        return {**super().options(), "retry_for_s": RETRY_FOR_S}


class BucketAndDuckDB:
    """A bucket of any kind, and a DuckDB file beside the test."""

    name = "duckdb"

    def __init__(self, server: GcsEmulator | S3Emulator, bucket: str, database: Path) -> None:
        server.create_bucket("bills")
        self._server = server
        self._database = database
        self.bucket = bucket

    def options(self) -> dict[str, str]:
        """The configuration keys of the warehouse."""
        return {"database": str(self._database), "dataset": DATASET, "retry_for_s": RETRY_FOR_S}

    def put(self, folder: Path) -> None:
        """Adds the files below a folder to the store."""
        self._server.upload_tree(folder, "bills", "")

    def costs(self) -> list[str]:
        """The costs that the table holds, in order."""
        query = f"SELECT BilledCost FROM {DATASET}.bill ORDER BY 1"  # noqa: S608
        connection = connect(self._database, read_only=True, timeout_s=1)
        try:
            return [f"{row[0]:.0f}" for row in connection.execute(query).fetchall()]
        finally:
            connection.close()


@dataclass
class Faulty:
    """A case on BigQuery, and the proxies before its store and its warehouse."""

    case: Case
    cloud: Cloud
    gcs: FaultProxy
    bigquery: FaultProxy

    def load_jobs(self) -> list[dict[str, object]]:
        """The jobs that replaced the month."""
        return [
            job for job in self.cloud.bigquery.jobs() if re.search(MONTH, str(job["configuration"]))
        ]


@pytest.fixture
def proxy() -> Iterator[Callable[[str], FaultProxy]]:
    """Starts proxies, and ends them."""
    proxies: list[FaultProxy] = []

    def start(upstream: str) -> FaultProxy:
        proxies.append(FaultProxy(upstream))
        return proxies[-1]

    yield start
    for started in proxies:
        started.stop()


@pytest.fixture(params=[AzureWriter], ids=["azure parquet"])
def faulty(
    request: pytest.FixtureRequest,
    cloud: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    proxy: Callable[[str], FaultProxy],
) -> Faulty:
    """BigQuery and GCS, both behind proxies."""
    monkeypatch.chdir(tmp_path)
    gcs, bigquery = proxy(cloud.gcs.url), proxy(cloud.bigquery.url)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
    case = Case(place=PatientBigQuery(cloud), writer=request.param(), scratch=tmp_path)
    return Faulty(case=case, cloud=cloud, gcs=gcs, bigquery=bigquery)


def attempts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says of attempts that failed."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("cloudbill") and "trying again in" in record.getMessage()
    ]


def requests(proxy: FaultProxy, method: str, path: str) -> int:
    """How many requests passed."""
    return sum(
        seen.method == method and re.search(path, f"{seen.path}?{seen.query}") is not None
        for seen in proxy.log
    )


class TestStoreThatFailsForNow:
    """What a store does not answer, it is asked again."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_month_is_loaded_once_and_whole_into_bigquery(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        faulty.case.deliver(NEW)
        listing, manifest, footer = r"/o/?\?.*prefix=", r"manifest\.json", r"part_0_0001"
        rules = [faulty.gcs.add("GET", path, FAULTS[fault]) for path in (listing, manifest, footer)]

        outcome = faulty.case.load()

        assert outcome.exit_code == 0
        assert [rule.hits for rule in rules] == [1, 1, 1]
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        for path in (listing, manifest, footer):
            # What is slow stands in the proxy's log once it was answered.
            assert requests(faulty.gcs, "GET", path) >= 2 or fault == "slow"
        told = attempts(caplog)
        assert len(told) >= 3 or fault in AGAIN_BY_AIOHTTP
        assert all(
            re.match(r"Reading gs://bills/.*: attempt 1 failed \(.+\); trying again in 0", line)
            for line in told
        )

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("scheme", ["gs", "s3"])
    def test_part_is_downloaded_whole_for_duckdb(  # noqa: PLR0917
        self,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        proxy: Callable[[str], FaultProxy],
        scheme: str,
        fault: str,
    ) -> None:
        server: GcsEmulator | S3Emulator = request.getfixturevalue(
            "gcs" if scheme == "gs" else "s3"
        )
        between = proxy(server.url)
        point_at(scheme, between.url, monkeypatch)
        place = BucketAndDuckDB(server, f"{scheme}://bills", tmp_path / "bills.duckdb")
        case = Case(place=place, writer=AzureWriter(), scratch=tmp_path)  # type: ignore[arg-type]
        case.deliver(NEW)
        # The object itself: gcsfs also lists what lies below it, and gets by without an answer.
        rule = between.add("GET", r"^[^?]*part_1_0001", FAULTS[fault])

        outcome = case.load()

        assert (outcome.exit_code, rule.hits) == (0, 1)
        assert place.costs() == ["2", "3"]
        assert requests(between, "GET", r"part_1_0001") >= 2 or fault == "slow"
        told = attempts(caplog)
        assert told or fault in AGAIN_BY_AIOHTTP
        assert all("part_1_0001" in line for line in told)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_listing_of_s3_is_asked_again(
        self,
        s3: S3Emulator,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        proxy: Callable[[str], FaultProxy],
        fault: str,
    ) -> None:
        between = proxy(s3.url)
        point_at("s3", between.url, monkeypatch)
        place = BucketAndDuckDB(s3, "s3://bills", tmp_path / "bills.duckdb")
        case = Case(place=place, writer=AzureWriter(), scratch=tmp_path)  # type: ignore[arg-type]
        case.deliver(NEW)
        rule = between.add("GET", r"list-type=2", FAULTS[fault])

        assert (case.load().exit_code, rule.hits) == (0, 1)
        assert place.costs() == ["2", "3"]

    def test_part_that_comes_shorter_than_it_was_listed_is_read_again(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        # Whole to HTTP, for the length of the answer is stated shorter too.
        rule = faulty.gcs.add("GET", r"manifest\.json", Edit(lambda body: body[:-5]))

        assert (faulty.case.load().exit_code, rule.hits) == (0, 1)
        (line,) = attempts(caplog)
        assert re.search(r"TruncatedError: \d+ of \d+ bytes arrived", line)

    def test_store_that_stays_away_is_an_error_in_bounded_time(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.gcs.add("GET", r"/o/?\?", Status(503), times=None)
        started = time.monotonic()

        outcome = faulty.case.load()

        assert isinstance(outcome.error, StoreError)
        assert "run again" in str(outcome.error)
        assert len(attempts(caplog)) >= 3
        assert time.monotonic() - started < 8 + 5

    @pytest.mark.parametrize("code", [401, 403])
    def test_missing_permission_is_asked_once_and_names_the_role(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, code: int
    ) -> None:
        rule = faulty.gcs.add("GET", r"/o/?\?", Status(code, "forbidden"), times=None)

        outcome = faulty.case.load()

        assert "needs roles/storage.objectViewer on the bucket" in str(outcome.error)
        assert (rule.hits, attempts(caplog)) == (1, [])

    def test_missing_permission_on_s3_names_the_actions(
        self,
        s3: S3Emulator,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        proxy: Callable[[str], FaultProxy],
    ) -> None:
        between = proxy(s3.url)
        point_at("s3", between.url, monkeypatch)
        place = BucketAndDuckDB(s3, "s3://bills", tmp_path / "bills.duckdb")
        case = Case(place=place, writer=AzureWriter(), scratch=tmp_path)  # type: ignore[arg-type]
        rule = between.add("GET", r"list-type=2", Status(403, "AccessDenied"), times=None)

        assert "s3:ListBucket" in str(case.load().error)
        assert rule.hits == 1

    @pytest.mark.parametrize("read", ["list", "read", "tail", "download"])
    def test_azure_is_asked_once_an_attempt(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        proxy: Callable[[str], FaultProxy],
        read: str,
    ) -> None:
        # No server of Azure's runs here, so the proxy answers all by itself.
        between = proxy("http://127.0.0.1:9")
        between.add("*", ".", Status(503), times=None)
        connection = (
            "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=c2VjcmV0LWtleQ==;"
            f"BlobEndpoint={between.url}/acme;"
        )
        options = json.dumps({"connection_string": connection})
        monkeypatch.setenv("SOURCES__AZURE_BILLING__KWARGS", options)
        for name, value in {"ACCOUNT_NAME": "acme", "ACCOUNT_KEY": "c2VjcmV0LWtleQ=="}.items():
            variable = f"SOURCES__AZURE_BILLING__CREDENTIALS__AZURE_STORAGE_{name}"
            monkeypatch.setenv(variable, value)
        store = open_store(
            "az://bills", sections=("sources", "azure_billing"), retry_for_s=float(RETRY_FOR_S) / 4
        )
        calls: dict[str, Callable[[], object]] = {
            "list": lambda: list(store.list("a/")),
            "read": lambda: store.read("a/b"),
            "tail": lambda: store.read_tail("a/b", 8),
            "download": lambda: store.download("a/b", tmp_path / "part"),
        }

        with pytest.raises(StoreError, match="run again") as raised:
            calls[read]()

        # A listing asks first whether the folder is a blob.
        each = 2 if read == "list" else 1
        told = len(attempts(caplog))
        # The last attempt may find that its time is over before it begins.
        assert len(between.log) in {each * told, each * (told + 1)}
        assert told >= 2
        assert "c2VjcmV0" not in str(raised.value) + caplog.text

    def test_traceback_of_the_client_is_not_logged(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        faulty.gcs.add("GET", "manifest", Status(400, "bad"), times=None)

        assert faulty.case.load().exit_code == StoreError.exit_code
        assert [record for record in caplog.records if record.exc_info] == []
        assert [record for record in caplog.records if record.name == "gcsfs"] == []


def point_at(scheme: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a server stand for a store."""
    if scheme == "gs":
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        return
    credentials = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "REGION_NAME": "us-east-1",
        "ENDPOINT_URL": url,
    }
    for name, value in credentials.items():
        monkeypatch.setenv(f"SOURCES__AZURE_BILLING__CREDENTIALS__{name}", value)


class TestBigQueryThatFailsForNow:
    """Whatever BigQuery does not answer, it is asked again, and no job runs twice."""

    CALLS = (
        ("GET", r"/datasets/finops\?", None),
        ("POST", r"/datasets\?", None),
        ("GET", r"/tables/bill\?", None),
        ("POST", r"/tables\?", r'"bill"'),
        ("POST", r"/jobs\?", MONTH),
        ("POST", r"/jobs\?", r"COUNT\(\*\)"),
        ("GET", r"/queries/", None),
    )
    """The dataset and the table are asked for and made, jobs inserted, rows fetched."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_month_is_loaded_once_and_whole(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        faulty.case.deliver(NEW)
        rules = [
            faulty.bigquery.add(method, path, FAULTS[fault], body=body)
            for method, path, body in self.CALLS
        ]

        outcome = faulty.case.load()

        assert outcome.exit_code == 0
        assert [rule.hits for rule in rules] == [1] * len(self.CALLS)
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        told = attempts(caplog)
        assert len(told) >= len(self.CALLS)
        assert all(
            re.match(r"BigQuery (GET|POST) /projects/acme/.*: attempt \d failed", line)
            for line in told
        )

    @pytest.mark.parametrize("faulty", [AwsWriter, AzureCsvWriter], indirect=True)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_csv_is_loaded_once_and_whole(
        self, faulty: Faulty, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", FAULTS[fault], body=MONTH)

        assert (faulty.case.load().exit_code, rule.hits) == (0, 1)
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        assert attempts(caplog)

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("path", [r"/upload/", r"/jobs\?"], ids=["upload", "copy"])
    def test_parts_of_another_cloud_are_uploaded_once_and_whole(  # noqa: PLR0917
        self,
        faulty: Faulty,
        s3: S3Emulator,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        path: str,
        fault: str,
    ) -> None:
        point_at("s3", s3.url, monkeypatch)
        s3.create_bucket("bills")
        monkeypatch.setattr(faulty.case.place, "bucket", "s3://bills", raising=False)
        s3.upload_tree(faulty.case.write(NEW).folder, "bills", "")
        body = MONTH if path == r"/jobs\?" else None
        rule = faulty.bigquery.add("POST", path, FAULTS[fault], body=body)

        outcome = faulty.case.load()

        assert (outcome.exit_code, rule.hits) == (0, 1)
        assert faulty.case.held() == list(NEW.charges)
        assert attempts(caplog)

    def test_lasting_failure_leaves_the_old_month_in_bounded_time(self, faulty: Faulty) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", Status(503), body=MONTH, times=None)
        started = time.monotonic()

        (failure,) = faulty.case.load().failures

        assert isinstance(failure.error, TransientLoadError)
        assert rule.hits > 3
        assert time.monotonic() - started < 8 + 2 + 5
        assert faulty.case.held() == list(OLD.charges)

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (Status(403, "accessDenied"), "roles/bigquery.jobUser on the project"),
            (Status(403, "quotaExceeded"), "come back over 24 hours"),
            (Status(404, "notFound"), "Check 'project_id', 'dataset' and 'location'"),
            (Status(400, "invalid"), "Injected invalid"),
        ],
        ids=["permission", "quota", "not found", "invalid"],
    )
    def test_what_cannot_succeed_is_asked_once(
        self,
        faulty: Faulty,
        caplog: pytest.LogCaptureFixture,
        status: Status,
        message: str,
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", status, body=MONTH, times=None)

        (failure,) = faulty.case.load().failures

        assert type(failure.error) is LoadError
        assert message in str(failure.error)
        assert rule.hits == 1
        # On a busy machine an answer may take longer than an attempt may.
        assert [line for line in attempts(caplog) if "timed out" not in line] == []
        assert faulty.case.held() == list(OLD.charges)


class TestPartsThatVanish:
    """An export that overwrites its runs takes parts away; what is there instead is loaded."""

    def test_month_is_looked_at_again_and_the_run_that_is_there_is_loaded(
        self, faulty: Faulty
    ) -> None:
        faulty.case.deliver(OLD)
        written = faulty.case.write(OLD)
        overwritten = threading.Event()

        def overwrite() -> None:
            """Between the listing and the reading of the parts."""
            for part in written.parts:
                faulty.case.place.remove(str(part.relative_to(written.folder)))
            manifest = str(written.manifest.relative_to(written.folder))
            faulty.case.place.remove(manifest)
            faulty.case.deliver(NEW)
            overwritten.set()

        act_once(faulty, overwrite)
        outcome = faulty.case.load()

        assert overwritten.is_set()
        assert (outcome.exit_code, outcome.failures) == (0, ())
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.case.tracked()) == 1

    def test_part_that_stays_away_is_reported_once_and_the_old_month_stands(
        self, faulty: Faulty
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        faulty.gcs.add("GET", r"new.*part_1_0001", Status(404, "notFound"), times=None)
        faulty.case.events.clear()

        (failure,) = faulty.case.load().failures

        assert isinstance(failure.error, PartMissingError)
        assert [event for event in faulty.case.events if event == failure] == [failure]
        assert faulty.case.held() == list(OLD.charges)


def act_once(faulty: Faulty, act: Callable[[], None]) -> None:
    """Does something when the month is about to be loaded."""
    listen = faulty.case.events.append

    class Events(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            if type(event).__name__ == "LoadStarted" and not any(
                type(seen).__name__ == "LoadStarted" for seen in self
            ):
                act()
            super().append(event)

    assert callable(listen)
    faulty.case.events = Events()


class TestDuckDBFileThatIsHeld:
    """A file that another process holds is waited for, and then the holder is named."""

    HOLD = (
        "import duckdb, sys, time\n"
        "held = duckdb.connect(sys.argv[1])\n"
        "print('held', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\n"
    )

    def hold(self, file: Path, seconds: float) -> subprocess.Popen[str]:
        """Another process that holds the file."""
        command = [sys.executable, "-c", self.HOLD, str(file), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.stdout.close()
        return process

    def test_file_that_becomes_free_is_opened(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with self.hold(tmp_path / "bills.duckdb", 1) as holder:
            connect(tmp_path / "bills.duckdb", read_only=False, timeout_s=20).close()

        (waiting,) = [record.getMessage() for record in caplog.records]
        assert f"(PID {holder.pid})" in waiting

    def test_wait_ends_and_the_holder_is_named(self, tmp_path: Path) -> None:
        with self.hold(tmp_path / "bills.duckdb", 60) as holder:
            started = time.monotonic()
            with pytest.raises(LoadError, match=rf"within 0.5 s: .*PID {holder.pid}.*lock_timeout"):
                connect(tmp_path / "bills.duckdb", read_only=False, timeout_s=0.5)
            assert time.monotonic() - started < 5
            holder.kill()


def test_retries_are_logged_as_warnings(faulty: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    faulty.gcs.add("GET", r"/o/?\?", Status(503))
    faulty.case.load()

    levels = {
        record.levelno for record in caplog.records if "trying again in" in record.getMessage()
    }
    assert levels == {logging.WARNING}
