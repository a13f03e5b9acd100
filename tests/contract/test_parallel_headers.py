"""Months that bring alike headers at once: each header has one column in all of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.warehouses.bigquery.client import PersistentClient
from cloudbill.warehouses.bigquery.dataset import Dataset
from contract.places import DATASET, PROJECT, Case

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

NEEDED = ["bill/BillingPeriodStartDate", "lineItem/UnblendedCost", "lineItem/CurrencyCode"]
UPPER, LOWER = "resourceTags/user:Env", "resourceTags/user:env"
COLUMNS = ("resource_tags_user_env", "resource_tags_user_env_2")

WAYS = (("aws", "bigquery"),)
"""A legacy report has a column for each key of a tag; DuckDB loads one month after the other."""


def report(case: Case, month: int, *tags: str) -> None:
    """Delivers a month with one charge, each of whose tags has its own header as its value."""
    days = f"2025{month:02d}01-2025{month + 1:02d}01"
    folder = case.scratch / f"report-{month}"
    home = folder / "transfer" / "cur" / "cur-hourly" / days
    home.mkdir(parents=True)
    row = [f"2025-{month:02d}-01T00:00:00Z", "1", "USD", *tags]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[*NEEDED, *tags], row])
    (home / "part-00001.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    start, end = (f"2025{number:02d}01T000000.000Z" for number in (month, month + 1))
    manifest = {
        "assemblyId": f"run-{month}",
        "compression": "GZIP",
        "contentType": "text/csv",
        "billingPeriod": {"start": start, "end": end},
        "columns": [],
        "reportKeys": [f"cur/cur-hourly/{days}/part-00001.csv.gz"],
    }
    (home / "cur-hourly-Manifest.json").write_text(json.dumps(manifest))
    case.place.put(folder)


def require_one_column_each(case: Case, client: bq.Client) -> None:
    """Each column has its own header recorded, and the values of no other."""
    schema = client.get_table(f"{PROJECT}.{DATASET}.bill").schema
    recorded = {field.name: field.description for field in schema}
    assert {recorded[column] for column in COLUMNS} == {UPPER, LOWER}
    for column in COLUMNS:
        assert {value for value in case.values(column) if value} == {recorded[column]}


@pytest.mark.parametrize("first", [(), (7,)], ids=["new table", "table without them"])
def test_headers_that_prefer_one_name_never_share_a_column(
    case: Case, client: bq.Client, first: Sequence[int]
) -> None:
    for month in first:
        report(case, month)
        assert case.load().exit_code == 0
    report(case, 10, UPPER, LOWER)
    report(case, 9, LOWER)
    report(case, 8, UPPER)
    assert case.load().exit_code == 0
    require_one_column_each(case, client)
    report(case, 11, LOWER, UPPER)
    assert case.load().exit_code == 0
    require_one_column_each(case, client)


def test_a_header_that_another_process_records_meanwhile_keeps_its_column(
    case: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(case, 7)
    case.load()
    prepare, others = Dataset.prepare_table, iter([UPPER])

    def prepare_and_be_late(self: Dataset, *given: Any) -> bq.Table:
        table = prepare(self, *given)
        for header in others:
            now = client.get_table(table.reference)
            added = type(now.schema[0])(COLUMNS[0], "STRING", description=header)
            now.schema = [*now.schema, added]
            client.update_table(now, ["schema"])
        return table

    monkeypatch.setattr(Dataset, "prepare_table", prepare_and_be_late)
    report(case, 8, LOWER)
    assert case.load().exit_code == 0
    assert case.values(COLUMNS[0]) == [None, None]
    assert sorted(filter(None, case.values(COLUMNS[1]))) == [LOWER]


def test_a_change_that_was_lost_is_not_taken_for_done_because_its_column_is_there(
    case: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request was not processed, and another process gave the column to another header."""
    report(case, 7)
    case.load()
    send, others = bigquery.Client._call_api, iter([UPPER])  # noqa: SLF001

    def lose_the_first(self: bigquery.Client, retry: Any, *given: Any, **options: Any) -> Any:
        is_change = options.get("method") == "PATCH" and options["path"].endswith("/bill")
        for header in others if isinstance(self, PersistentClient) and is_change else ():
            now = client.get_table(f"{PROJECT}.{DATASET}.bill")
            added = bigquery.SchemaField(COLUMNS[0], "STRING", description=header)
            now.schema = [*now.schema, added]
            client.update_table(now, ["schema"])
            raise api.ServiceUnavailable("try again")
        return send(self, retry, *given, **options)

    monkeypatch.setattr(bigquery.Client, "_call_api", lose_the_first)
    report(case, 8, LOWER)
    assert case.load().exit_code == 0
    assert next(others, None) is None
    assert case.values(COLUMNS[0]) == [None, None]
    assert sorted(filter(None, case.values(COLUMNS[1]))) == [LOWER]


def test_a_description_of_a_user_stays_and_has_the_header_in_its_last_line(
    case: Case, client: bq.Client
) -> None:
    report(case, 8, UPPER, LOWER)
    case.load()
    name = f"{PROJECT}.{DATASET}.bill"
    for month in (9, 10):
        table = client.get_table(name)
        # One at a time: without any header nothing says which column is whose.
        column = COLUMNS[month % 2]
        table.schema = [
            bigquery.SchemaField(field.name, field.field_type, description="what the team wrote")
            if field.name == column
            else field
            for field in table.schema
        ]
        client.update_table(table, ["schema"])
        report(case, month, UPPER, LOWER)
        assert case.load().exit_code == 0
    described = {field.name: field.description for field in client.get_table(name).schema}
    for column in COLUMNS:
        (header,) = {value for value in case.values(column) if value}
        assert described[column] == f"what the team wrote\nheader in the files: {header}"
