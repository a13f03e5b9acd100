"""A DuckDB file and a dataset may have any names, also the same, or those of DuckDB itself."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudbill.errors import ConfigError
from cloudbill.ledger.rebuilding import rebuild_ledger
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.verification import verify_source
from cloudbill.periods import utc_now
from cloudbill.report.collecting import collect
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case, DiskAndDuckDB

if TYPE_CHECKING:
    from cloudbill.looking.comparison import MonthReport

NAMES = [
    ("billing.duckdb", "billing"),
    ("Billing", "bILLING"),
    ("main.duckdb", "main"),
    ("temp.duckdb", "main_db"),
    ("system.duckdb", "system_db"),
    ("memory.duckdb", "memory"),
    ("information_schema.duckdb", "main"),
    ("2025.bills.duckdb", "2025.bills"),
    ('"Bob\'s".duckdb', '"Bob\'s"'),
    ("Kosten für März.db", "kosten für märz"),
    ("md:bills.duckdb", "md:bills"),
]


class NamedDuckDB(DiskAndDuckDB):
    """A folder, and a DuckDB file and a dataset with names of their own."""

    def __init__(self, folder: Path, database: str, dataset: str) -> None:
        super().__init__(folder)
        self.database = folder / database
        self.dataset = dataset

    def options(self) -> dict[str, str]:
        return {"database": self.database.name, "dataset": self.dataset}


def case_of(tmp_path: Path, database: str, dataset: str) -> Case:
    """A month that is delivered to a folder, and not loaded yet."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    place = NamedDuckDB(tmp_path, database, dataset)
    case = Case(place=place, writer=AzureWriter(), scratch=scratch)
    case.deliver(
        Delivery(
            period="2025-10",
            charges=charges("2025-10", "1", "2"),
            submitted_at=at("2025-10-15 04:00"),
        )
    )
    return case


@pytest.mark.parametrize(("database", "dataset"), NAMES)
def test_what_is_loaded_is_recorded_and_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, dataset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case = case_of(tmp_path, database, dataset)

    first, second = case.load(), case.load()

    assert first.errors == second.errors == ()
    assert (len(first.results), len(second.results)) == (1, 0)
    found = read_status(case.settings, now=utc_now())
    assert [(month.table_rows, month.record is not None) for month in found.months] == [(2, True)]
    with closing(duckdb.connect(str(tmp_path / database))) as connection:
        schemas = connection.execute(
            "SELECT DISTINCT database_name = current_database(), lower(schema_name) "
            "FROM duckdb_tables()"
        ).fetchall()
    assert schemas == [(True, dataset.lower())]


@pytest.mark.parametrize(("database", "dataset"), NAMES[:2])
def test_every_command_reads_a_dataset_that_is_called_as_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, dataset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case = case_of(tmp_path, database, dataset)
    case.load()
    verified: list[MonthReport] = []

    assert verify_source(case.settings, frozenset(), verified.append).exit_code(strict=True) == 0
    report, failed = collect(case.settings)
    assert failed is None
    assert len(report.months.cells) == 1
    assert [
        str(record.period) for record in rebuild_ledger(case.settings, lambda _: None).records
    ] == ["2025-10"]


@pytest.mark.parametrize("dataset", ["temp", "System", "information_schema", "PG_CATALOG"])
def test_names_that_duckdb_keeps_for_itself_are_refused_and_no_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case = case_of(tmp_path, "bills.duckdb", dataset)

    error = case.load().error

    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"'dataset' of [sources.azure_billing] must not be '{dataset}'")
    assert not (tmp_path / "bills.duckdb").exists()
