"""Doubles, maps and times as BigQuery reads them from Parquet, before SQL makes exact values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.api_core import exceptions as api
from google.cloud import bigquery as bq

from cloudbill.looking.verification import verify_source
from cloudbill.periods import utc_now
from cloudbill.warehouses.bigquery import staging, staging_tables
from cloudbill.warehouses.bigquery.client import PersistentClient
from contract.aws_deliveries import AwsFocusWriter
from contract.deliveries import Charge, Delivery, Writer, at, charges
from contract.places import DATASET, PROJECT, Case, GcsAndBigQuery
from contract.rewriting import rewrite, with_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulators.fixtures import Cloud

REST = Decimal("1.23E-19")
FIRST = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2.5"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="first",
)
SECOND = replace(
    FIRST,
    charges=charges("2025-10", "1", "2.5", "0.000000000000000000123"),
    submitted_at=at("2025-10-31 04:00"),
    run_id="second",
)


class LowerCaseWriter(AwsFocusWriter):
    """FOCUS whose costs are spelt otherwise."""

    def _columns(self, delivery: Delivery, found: Sequence[Charge]) -> dict[str, Any]:
        columns = super()._columns(delivery, found)
        return {name.lower() if name == "BilledCost" else name: columns[name] for name in columns}


@pytest.fixture
def place(cloud: Cloud, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> GcsAndBigQuery:
    """BigQuery, which reads the store itself."""
    assert tmp_path
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return GcsAndBigQuery(cloud)


@pytest.fixture
def case(make: Callable[[Writer], Case]) -> Case:
    """FOCUS of AWS: costs are doubles, tags are maps, and times have no zone."""
    return make(AwsFocusWriter())


def test_what_is_rounded_away_is_known_however_the_run_spells_the_column(case: Case) -> None:
    case.deliver(FIRST)
    case.load()
    case.writer = LowerCaseWriter()
    case.deliver(SECOND)
    (result,) = case.load().results
    assert dict(result.rests["EUR"])["BilledCost"] == REST


def test_parts_whose_times_are_of_two_types_load_alike(case: Case) -> None:
    """BigQuery would take both for what the last file has."""
    moment = datetime(2025, 10, 7, 5, tzinfo=UTC)

    def in_utc(rows: int) -> pa.Array:
        return pa.array([moment] * rows, pa.timestamp("ms", "UTC"))

    delivery = replace(SECOND, parts=2)
    rewrite(case, delivery, with_columns(ChargePeriodStart=in_utc), lambda content: content)
    (result,) = case.load().results
    assert result.rows == len(delivery.charges)
    days = [charge.day.day for charge in case.held()]
    assert sorted(days) == [3, 7, 7]
    (month,) = verify_source(case.settings, frozenset(), lambda _: None).months
    assert str(month.verdict) == "equal"


def test_the_table_of_raw_values_expires_before_its_job_is_done(
    case: Case, cloud: Cloud, client: bq.Client
) -> None:
    found: list[tuple[str, bool]] = []

    def look(stage: str, job: dict[str, Any]) -> None:
        load = job["configuration"].get("load") or {}
        name = str((load.get("destinationTable") or {}).get("tableId"))
        if stage == "start" and name.endswith("_raw"):
            expires = client.get_table(f"{DATASET}.{name}").expires is not None
            found.append((load["createDisposition"], expires))

    cloud.bigquery.faults.append(look)
    case.deliver(FIRST)
    assert case.load().exit_code == 0
    # A job that ends after its table was given up and removed must not make another one.
    assert found == [("CREATE_NEVER", True)]
    assert [one for one in client.list_tables(DATASET) if "_staging_" in one.table_id] == []


def test_a_column_that_another_load_adds_meanwhile_fails_no_month(
    case: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.deliver(FIRST)
    case.load()
    copy, added = PersistentClient.copy_table, iter(["x_OfAnother"])

    def copy_too_late(self: PersistentClient, *given: Any, **options: Any) -> Any:
        for name in added:
            table = client.get_table(f"{DATASET}.bill")
            table.schema = [*table.schema, bq.SchemaField(name, "STRING")]
            client.update_table(table, ["schema"])
        return copy(self, *given, **options)

    monkeypatch.setattr(PersistentClient, "copy_table", copy_too_late)
    case.deliver(SECOND)
    outcome = case.load()
    assert outcome.exit_code == 0
    assert next(added, None) is None
    assert len(case.held()) == len(SECOND.charges)
    assert case.values("x_OfAnother") == [None] * len(SECOND.charges)


def test_how_old_a_staging_table_is_does_not_go_by_the_clock_of_this_machine(
    case: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is a week ahead takes no table from another process."""
    case.deliver(FIRST)
    case.load()
    others = client.create_table(f"{PROJECT}.{DATASET}.bill_staging_202511_0123abcd")
    ahead = utc_now() + timedelta(days=7)
    monkeypatch.setattr(staging_tables, "utc_now", lambda: ahead)
    expirations: list[datetime | None] = []
    settle = staging_tables.settle_staging_table

    def noted(*given: Any) -> bq.Table:
        made = settle(*given)
        expirations.append(client.get_table(made.reference).expires)
        return made

    monkeypatch.setattr(staging, "settle_staging_table", noted)
    case.deliver(SECOND)
    assert case.load().exit_code == 0
    assert client.get_table(others.reference).table_id == others.table_id
    (expires,) = expirations
    assert expires is not None
    assert expires < ahead


def test_an_attempt_that_fails_once_its_staging_table_is_made_leaves_none(
    case: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise api.Forbidden("tables.list is not allowed")

    case.deliver(FIRST)
    with monkeypatch.context() as patched:
        patched.setattr(PersistentClient, "list_tables", refuse)
        (failure,) = case.load().failures
    assert "is not allowed" in str(failure.error)
    assert [one for one in client.list_tables(DATASET) if "_staging_" in one.table_id] == []
