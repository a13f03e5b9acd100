"""Every test of this folder runs in the ways that its class or module names as `WAYS`.

A way is a kind of export and a warehouse. What a test is about says which of them can differ:

- `LOADING_WAYS`, where files become rows: Parquet and CSV into each warehouse. The types of a CSV
  file go by names or by the manifest before any warehouse sees them, so each of the two once.
- `READING_WAYS`, where files are read: every format once.
- `LOOKING_WAYS`, where tables and ledgers are read: every warehouse and every provider once.
- `PLANNING_WAYS`, where a run is chosen from manifests alone: every provider once.
- `AZURE_WAYS`, where one provider is enough: each warehouse and each of its formats once.
- `ONE_WAY`, where what counts was read already, the same from every file and every table.
- `AWS_FORMS_WAYS`, where the forms of an AWS bill differ: every form once.

`in_ways` says it of one test, and `in_duckdb` of one that asks for a warehouse alone.

The DuckDB of most tests is a file that stays open, as in a program that uses it too. What is about
the file itself says `OWN_FILE`: then it is closed after each load, and not there before the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.aws_deliveries import (
    AthenaWriter,
    AwsFocusCsvWriter,
    AwsFocusWriter,
    AwsParquetWriter,
    Cur2CsvWriter,
    Cur2Writer,
)
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Writer
from contract.faulty import faulty, proxy
from contract.places import PROJECT, Case, DiskAndDuckDB, GcsAndBigQuery, OpenFile, Place

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

__all__ = ["faulty", "proxy"]

WRITERS: dict[str, Callable[[], Writer]] = {
    "azure parquet": AzureWriter,
    "azure csv": AzureCsvWriter,
    "aws": AwsWriter,
}
AWS_FORMS: dict[str, Callable[[], Writer]] = {
    "aws parquet": AwsParquetWriter,
    "aws athena": AthenaWriter,
    "aws cur2 parquet": Cur2Writer,
    "aws cur2 csv": Cur2CsvWriter,
    "aws focus": AwsFocusWriter,
    "aws focus csv": AwsFocusCsvWriter,
}
"""The forms of an AWS bill beyond the usual one; few tests need them."""

WAREHOUSES = ("duckdb", "bigquery")
LOADING_WAYS = (
    ("azure parquet", "duckdb"),
    ("azure csv", "duckdb"),
    ("azure parquet", "bigquery"),
    ("aws", "bigquery"),
)
READING_WAYS = (("azure csv", "duckdb"), ("aws", "duckdb"), ("azure parquet", "bigquery"))
LOOKING_WAYS = (("aws", "duckdb"), ("azure parquet", "bigquery"))
PLANNING_WAYS = (("azure csv", "duckdb"), ("aws", "duckdb"))
AZURE_WAYS = (("azure csv", "duckdb"), ("azure parquet", "bigquery"))
ONE_WAY = (("azure csv", "duckdb"),)
AWS_FORMS_WAYS = tuple((form, "duckdb") for form in AWS_FORMS)

in_duckdb = pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
"""For tests of what both warehouses read alike."""


def in_ways(ways: Sequence[tuple[str, str]]) -> pytest.MarkDecorator:
    """The ways of one test, where its class or module has others."""
    ids = ["-".join(way) for way in ways]
    return pytest.mark.parametrize(("kind", "warehouse"), ways, indirect=True, ids=ids)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test in every way that its class or module names, or with all of what it asks for."""
    given = {
        name
        for mark in metafunc.definition.iter_markers("parametrize")
        for name in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
    }
    asked = {"kind", "warehouse"} & {*metafunc.fixturenames} - given
    if len(asked) > 1:
        ways = getattr(metafunc.cls, "WAYS", getattr(metafunc.module, "WAYS", LOADING_WAYS))
        ids = ["-".join(way) for way in ways]
        metafunc.parametrize(("kind", "warehouse"), ways, indirect=True, ids=ids)
    elif asked:
        (name,) = asked
        every = WRITERS if name == "kind" else WAREHOUSES
        metafunc.parametrize(name, every, indirect=True)


@pytest.fixture(autouse=True)
def _dlt_of_the_test(own_dlt: None) -> None:
    """Every test here loads, and dlt keeps the state."""


@pytest.fixture
def warehouse(request: pytest.FixtureRequest) -> str:
    """The name of a warehouse."""
    return str(request.param)


@pytest.fixture(scope="session")
def open_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenFile]:
    """The file of most tests, as the last one left it."""
    with closing(OpenFile(tmp_path_factory.mktemp("open") / "bills.duckdb")) as file:
        yield file


@pytest.fixture
def place(
    request: pytest.FixtureRequest,
    warehouse: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    """A warehouse and its store, both empty."""
    monkeypatch.chdir(tmp_path)
    if warehouse == "duckdb":
        if getattr(request.cls, "OWN_FILE", getattr(request.module, "OWN_FILE", False)):
            return DiskAndDuckDB(tmp_path)
        file: OpenFile = request.getfixturevalue("open_file")
        file.reset()
        return DiskAndDuckDB(tmp_path, file.database)
    cloud: Cloud = request.getfixturevalue("cloud")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return GcsAndBigQuery(cloud)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """A provider and its format, by a key of `WRITERS`."""
    return str(request.param)


@pytest.fixture
def case(kind: str, place: Place, tmp_path: Path) -> Case:
    """A place and a provider."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=(WRITERS | AWS_FORMS)[kind](), scratch=scratch)


@pytest.fixture
def make(place: Place, tmp_path: Path) -> Callable[[Writer], Case]:
    """The case of a writer."""

    def made(writer: Writer) -> Case:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        return Case(place=place, writer=writer, scratch=scratch)

    return made


@pytest.fixture
def client(cloud: Cloud) -> bq.Client:
    """BigQuery, past the code under test."""
    found: bq.Client = cloud.bigquery.client(PROJECT)
    return found
