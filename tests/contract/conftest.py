"""Every test of this folder runs on every warehouse and provider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Writer
from contract.places import Case, DiskAndDuckDB, GcsAndBigQuery, Place

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

WRITERS: dict[str, Callable[[], Writer]] = {
    "azure parquet": AzureWriter,
    "azure csv": AzureCsvWriter,
    "aws": AwsWriter,
}


@pytest.fixture(autouse=True)
def _dlt_of_the_test(own_dlt: None) -> None:
    """Every test here loads, and dlt keeps the state."""


@pytest.fixture(params=["duckdb", "bigquery"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A warehouse and its store, both empty."""
    monkeypatch.chdir(tmp_path)
    if request.param == "duckdb":
        return DiskAndDuckDB(tmp_path)
    cloud: Cloud = request.getfixturevalue("cloud")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return GcsAndBigQuery(cloud)


@pytest.fixture(params=list(WRITERS))
def case(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Case:
    """A place and a provider."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=WRITERS[request.param](), scratch=scratch)
