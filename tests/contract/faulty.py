"""Faults of clouds, and cases with proxies that make them before store and warehouse."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import DATASET, Case, GcsAndBigQuery
from emulators.fault_proxy import (
    Action,
    Delay,
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

RETRY_FOR_S = "5"
"""One attempt may take 1.25 seconds, and the pauses begin with 21 milliseconds.

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
    "slow": Delay(1.5),
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
        connection = duckdb.connect(str(self._database), read_only=True)
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
