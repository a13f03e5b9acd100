"""The tracking table is found by the name that dlt gives it, whatever the table is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine
from cloudbill.ledger.rebuilding import rebuild_ledger
from cloudbill.looking.load_history import read_history
from contract import ledgers
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case

if TYPE_CHECKING:
    from pathlib import Path

    from contract.places import Place

# The table and its tracking table.
NAMES = {
    "AzureFocus": "azure_focus_load_tracking",
    "azure-focus": "azure_focus_load_tracking",
    "Azure_Focus_2025": "azure_focus_2025_load_tracking",
    "2025__bill_": "_2025__bill__load_tracking",
    "__bill__a": "bill__a_load_tracking",
    "azure.focus": "azure_focus_load_tracking",
    "Kosten für Köln": "kosten_f_r_k_ln_load_tracking",
    "a'b\"c": "a_b_c_load_tracking",
    "n" * 206: "n" * 206 + "_load_tracking",
}
IN_BIGQUERY = ("azure-focus", "n" * 206)
"""dlt names it alike for both; BigQuery, or its emulator, refuses three of them."""


@dataclass
class NamedCase(Case):
    """A case whose table has a name of its own."""

    name: str = "bill"

    @property
    def table(self) -> str:
        return self.name


@pytest.fixture
def case(name: str, place: Place, tmp_path: Path) -> NamedCase:
    """A place and a table."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return NamedCase(place=place, writer=AzureWriter(), scratch=scratch, name=name)


def run(run_id: str, *, rows: int = 30, day: int = 10) -> Delivery:
    """A run of October."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *["1"] * rows, note=run_id),
        submitted_at=at(f"2025-11-{day:02d} 04:00"),
        run_id=run_id,
    )


@pytest.mark.parametrize(
    ("warehouse", "name"),
    [*(("duckdb", name) for name in NAMES), *(("bigquery", name) for name in IN_BIGQUERY)],
    indirect=["warehouse"],
    ids=lambda given: given[:20],
)
def test_a_ledger_is_kept_read_and_rebuilt(case: NamedCase) -> None:
    case.deliver(run("loaded"))
    case.load()
    assert case.load().results == ()
    (month,) = read_history(case.settings, frozenset()).months
    assert [load.record.run_id for load in month.loads] == ["loaded"]
    assert case.place.query("SELECT run_id FROM {table}", table=NAMES[case.name]) == [("loaded",)]
    ledgers.drop_table(case, ledgers.STATES)
    rebuilt = rebuild_ledger(case.settings, lambda _: None)
    assert [record.run_id for record in rebuilt.records] == ["loaded"]
    assert [check.found for check in examine([case.settings]) if not check.is_well] == []
    # A run that a guard holds is held by what the tracking table remembers.
    case.deliver(run("one row", rows=1, day=11))
    outcome = case.load()
    assert (outcome.exit_code, outcome.results) == (6, ())
    assert {charge.note for charge in case.held()} == {"loaded"}


def test_a_tracking_table_under_the_name_as_it_was_given_is_read_too(
    place: Place, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    case = NamedCase(place=place, writer=AzureWriter(), scratch=scratch, name="AzureFocus")
    case.deliver(run("loaded"))
    case.load()
    case.place.query(
        "CREATE TABLE {table_new} AS SELECT * FROM {table_old}",
        table_new="AzureFocus_load_tracking",
        table_old="azure_focus_load_tracking",
    )
    for table in ("azure_focus_load_tracking", ledgers.STATES, ledgers.LOADS, ledgers.VERSIONS):
        ledgers.drop_table(case, table)
    assert case.load().results == ()
    case.deliver(run("newer", day=11))
    assert len(case.load().results) == 1
    (month,) = read_history(case.settings, frozenset()).months
    assert month.loads[-1].record.run_id == "newer"
