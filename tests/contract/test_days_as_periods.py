"""A billing period that is a DATE in the files is one in BigQuery, where no time equals a day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from google.cloud import bigquery as bq

from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from cloudbill.report.collecting import collect
from contract.deliveries import AzureWriter, Charge, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case, GcsAndBigQuery
from contract.statements import Sent, recording, tables_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emulators.fixtures import Cloud
    from emulators.googlesql import GoogleSql

EARLY, LATE = at("2025-10-15 04:00"), at("2025-10-31 22:00")


class DaysWriter(AzureWriter):
    """FOCUS whose billing period is a day without a time."""

    def _table(self, delivery: Delivery, charges: Sequence[Charge]) -> Any:
        table = super()._table(delivery, charges)
        index = table.schema.get_field_index(self.period_column)
        days = table.column(index).cast(pa.date32())
        return table.set_column(index, self.period_column, days)


@pytest.fixture
def case(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Azure on BigQuery, with periods that are days."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return Case(place=GcsAndBigQuery(cloud), writer=DaysWriter(), scratch=tmp_path)


def october(*costs: str, run_id: str, early: bool = False) -> Delivery:
    """A run of October with one charge a day."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *costs),
        submitted_at=EARLY if early else LATE,
        run_id=run_id,
    )


def require_accepted(google_sql: GoogleSql, client: Any, sent: list[Sent]) -> None:
    """The emulator compares days with times, and BigQuery does not: Google's analyser decides."""
    google_sql.know(tables_of(client, DATASET))
    faults = {google_sql.fault_of(one.statement, one.parameters) for one in sent}
    assert faults == {None}


def make_table_by_day(client: bq.Client) -> None:
    """A table as somebody else made it."""
    client.create_dataset(f"{PROJECT}.{DATASET}")
    kinds = {"BillingPeriodStart": "DATE", "BilledCost": "BIGNUMERIC"}
    table = bq.Table(
        f"{PROJECT}.{DATASET}.bill",
        schema=[bq.SchemaField(name, kind) for name, kind in kinds.items()],
    )
    table.time_partitioning = bq.TimePartitioning(type_="DAY", field="BillingPeriodStart")
    client.create_table(table)


@pytest.mark.parametrize("partitioned_by", ["MONTH", "DAY"])
def test_a_month_of_days_loads_verifies_and_is_reported(
    case: Case, cloud: Cloud, google_sql: GoogleSql, partitioned_by: str
) -> None:
    client = cloud.bigquery.client(PROJECT)
    older = october("1.5", "2", run_id="old", early=True)
    newer = october("3", "4.25", run_id="new")
    case.deliver(older)
    if partitioned_by == "DAY":
        make_table_by_day(client)
    with recording() as sent:
        assert case.load().exit_code == 0
        assert case.held() == list(older.charges)
        case.deliver(newer)
        assert case.load().exit_code == 0
        assert case.load().results == ()
        (month,) = verify_source(case.settings, frozenset(), lambda _: None).months
        report, error = collect(case.settings)
    assert case.held() == list(newer.charges)
    assert [row[1] for row in case.tracked()] == ["old", "new"]
    assert month.verdict is Verdict.EQUAL
    assert error is None
    assert report.error is None
    for cube in (report.months, report.days, report.tags):
        assert sum(cell.rows for cell in cube.cells) == len(newer.charges)
    table = client.get_table(f"{PROJECT}.{DATASET}.bill")
    assert table.time_partitioning.type_ == partitioned_by
    assert {field.name: field.field_type for field in table.schema}["BillingPeriodStart"] == "DATE"
    require_accepted(google_sql, client, sent)


def test_an_empty_run_empties_a_month_of_days(
    case: Case, cloud: Cloud, google_sql: GoogleSql
) -> None:
    client = cloud.bigquery.client(PROJECT)
    make_table_by_day(client)
    case.deliver(october("1", run_id="old", early=True))
    case.load()
    case.deliver(october(run_id="empty"))
    with recording() as sent:
        case.accept("2025-10")
    assert case.held() == []
    require_accepted(google_sql, client, sent)
