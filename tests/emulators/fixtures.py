"""Fixtures of the emulated clouds: one server per session, emptied before each test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulators.bigquery import BigQueryEmulator
    from emulators.gcs import GcsEmulator
    from emulators.googlesql import GoogleSql
    from emulators.s3 import S3Emulator


# The user's, and not that of the test which asks first: each test has a folder of its own.
_CACHES: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def pytest_configure(config: pytest.Config) -> None:
    """Let pass what the emulators' own libraries warn of."""
    for warning in (
        # bqemulator takes Arrow tables from DuckDB in the way that DuckDB 2 calls slow.
        "ignore:Arrow output on a DB-API result:UserWarning:bqemulator",
    ):
        config.addinivalue_line("filterwarnings", warning)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Google's storage and warehouse, where ``gs://`` means the same to both."""

    gcs: GcsEmulator
    bigquery: BigQueryEmulator


@pytest.fixture(scope="session")
def gcs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that holds the buckets of both servers."""
    return tmp_path_factory.mktemp("gcs")


# The modules are imported once a test asks for a server: that takes seconds.


@pytest.fixture(scope="session")
def gcs_server(gcs_root: Path) -> Iterator[GcsEmulator]:
    """The running server, as the last test left it."""
    server: GcsEmulator = import_module("emulators.gcs").GcsEmulator.start(gcs_root)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Emulator]:
    """The running server, as the last test left it."""
    server: S3Emulator = import_module("emulators.s3").S3Emulator.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def bigquery_server(gcs_root: Path) -> Iterator[BigQueryEmulator]:
    """The running server, as the last test left it."""
    server: BigQueryEmulator = import_module("emulators.bigquery").BigQueryEmulator.start(gcs_root)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # dlt asks once a second whether a job is done; here it is done at once.
        monkeypatch.setattr("dlt.destinations.impl.bigquery.bigquery.sleep", lambda _: sleep(0.02))
        # For each request, the whole environment is searched twice for a proxy; to this server
        # none leads.
        monkeypatch.setattr("requests.sessions.get_environ_proxies", lambda *_, **__: {})
        yield server
    server.stop()


@pytest.fixture(scope="session")
def google_sql(pytestconfig: pytest.Config) -> GoogleSql:
    """Google's analyser, compiled where the next run of the tests finds it, of any clone."""
    is_writable = os.access(_CACHES.parent, os.W_OK)
    caches = _CACHES if is_writable else pytestconfig.rootpath / ".pytest_cache"
    compiled = caches / "cloudbill-tests/googlesql"
    analyser: GoogleSql = import_module("emulators.googlesql").GoogleSql(compiled)
    return analyser


@pytest.fixture
def gcs(gcs_server: GcsEmulator) -> GcsEmulator:
    """Google Cloud Storage without a bucket."""
    gcs_server.reset()
    return gcs_server


@pytest.fixture
def s3(s3_server: S3Emulator) -> S3Emulator:
    """S3 without a bucket."""
    s3_server.reset()
    return s3_server


@pytest.fixture
def bigquery(bigquery_server: BigQueryEmulator) -> BigQueryEmulator:
    """BigQuery without a dataset or a job."""
    bigquery_server.reset()
    return bigquery_server


@pytest.fixture
def cloud(gcs: GcsEmulator, bigquery: BigQueryEmulator) -> Cloud:
    """Both, over one set of buckets."""
    return Cloud(gcs, bigquery)
