"""The questions of docs/queries.md and docs/focus.md have one answer, in both warehouses.

Those that the files can answer have the answer of the files.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from google.cloud import bigquery

from cloudbill.focus.keeping import keep_views
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.settings import read_source

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator
    from emulators.gcs import GcsEmulator

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_exports"
PROJECT = "acme"
BUCKET = "sample-bills"
SOURCES = {
    "azure": ("azure/billing", "focus-daily", "azure_focus_billing_data"),
    "aws": ("aws/cur", "cur-hourly", "aws_cur_billing_data"),
}

TYPES = {
    "BIGINT": "INTEGER",
    "DECIMAL(38,18)": "BIGNUMERIC",
    "JSON": "JSON",
    "TIMESTAMP": "TIMESTAMP",
    "VARCHAR": "STRING",
}
"""The types of BigQuery for those of the views in DuckDB."""

Rows = list[tuple[Any, ...]]


def questions() -> dict[str, tuple[str, str]]:
    """The SQL below each numbered heading: for DuckDB and for BigQuery."""
    found: dict[str, tuple[str, str]] = {}
    text = (ROOT / "docs/queries.md").read_text()
    for section in re.split(r"^## (?=\d)", text, flags=re.MULTILINE)[1:]:
        title = section.splitlines()[0]
        statements = re.findall(r"```sql\n(.*?)```", section, flags=re.DOTALL)
        assert len(statements) in {1, 2}, title
        if len(statements) == 2:
            assert section.index("\nDuckDB:\n") < section.index("\nBigQuery:\n"), title
        found[title] = (statements[0], statements[-1])
    return found


def examples() -> dict[str, tuple[str, str]]:
    """The SQL of the page of the views, which is the same for both warehouses."""
    text = (ROOT / "docs/focus.md").read_text()
    statements = re.findall(r"```sql\n(.*?)```", text, flags=re.DOTALL)
    return {f"focus.md {number}": (one, one) for number, one in enumerate(statements, start=1)}


QUESTIONS = questions()
ASKED = {**QUESTIONS, **examples()}


@pytest.fixture(scope="module")
def answers(
    gcs_server: GcsEmulator,
    bigquery_server: BigQueryEmulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mapping[str, tuple[Rows, Rows]]]:
    """The answers of DuckDB and of BigQuery, after the sample exports were loaded into both."""
    folder = tmp_path_factory.mktemp("queries")
    gcs_server.reset()
    bigquery_server.reset()
    gcs_server.create_bucket(BUCKET)
    shutil.copytree(SAMPLE, folder / "exports")
    gcs_server.upload_tree(folder / "exports", BUCKET, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        patch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server.url)
        Container()[PluggableRunContext].reload(str(folder))
        database = folder / "bills.duckdb"
        load(str(folder / "exports"), {"database": str(database)})
        load(BUCKET, {"project_id": PROJECT})
        client = bigquery_server.client(PROJECT)
        with closing(duckdb.connect(str(database), read_only=True)) as connection:
            for view in ("focus", "focus_faults"):
                copy_view(connection, view, client)
            yield {
                title: (
                    connection.execute(for_duckdb).fetchall(),
                    [tuple(row.values()) for row in client.query(for_bigquery).result()],
                )
                for title, (for_duckdb, for_bigquery) in ASKED.items()
            }


def load(bucket: str, warehouse: Mapping[str, str]) -> None:
    """Loads both sample exports into one warehouse, and makes the views in DuckDB."""
    sources = []
    for name, (prefix, export_name, table_name) in SOURCES.items():
        provider = PROVIDERS[name]
        given = {
            "bucket": bucket,
            "prefix": prefix,
            "export_name": export_name,
            "table_name": table_name,
            "dataset": "billing",
            **warehouse,
        }
        settings = read_source(provider.SECTION, provider, [], given)
        outcome = load_source(settings, Selection(), lambda _: None)
        assert (outcome.exit_code, len(outcome.results)) == (0, 3)
        sources.append(settings)
    if "database" in warehouse:
        assert len(keep_views(sources).changed) == 3


def copy_view(connection: duckdb.DuckDBPyConnection, view: str, client: bigquery.Client) -> None:
    """Makes a table of BigQuery of the rows of a view.

    The emulator reads the text of a view again for every query, which takes half a minute. That
    the views of both warehouses have the same rows is tested with Google's own implementation.
    """
    rows = connection.table(f"billing.{view}")
    columns = [
        (name, TYPES[str(kind)]) for name, kind in zip(rows.columns, rows.types, strict=True)
    ]
    table = bigquery.Table(
        f"{PROJECT}.billing.{view}",
        schema=[bigquery.SchemaField(name, kind) for name, kind in columns],
    )
    records = [
        {
            name: json.loads(value) if kind == "JSON" else str(value)
            for (name, kind), value in zip(columns, row, strict=True)
            if value is not None
        }
        for row in rows.fetchall()
    ]
    client.create_table(table)
    client.load_table_from_json(
        records, table, job_config=bigquery.LoadJobConfig(schema=table.schema)
    ).result()


def azure_charges() -> list[dict[str, Any]]:
    """Every row of the newest run of each month, from its files."""
    newest: dict[str, tuple[str, Path]] = {}
    for path in (SAMPLE / "azure").rglob("manifest.json"):
        run = json.loads(path.read_text())["runInfo"]
        known = newest.get(run["startDate"], ("", path))
        newest[run["startDate"]] = max(known, (run["submittedTime"], path))
    return [
        row
        for _, path in newest.values()
        for part in sorted(path.parent.glob("*.parquet"))
        for row in pyarrow.parquet.read_table(part).to_pylist()
    ]


def aws_charges() -> list[dict[str, str]]:
    """Every row of the current run of each month, from its files."""
    rows: list[dict[str, str]] = []
    for path in sorted((SAMPLE / "aws").glob("*/*/*/*-Manifest.json")):
        for key in json.loads(path.read_text())["reportKeys"]:
            assembly, name = Path(key).parts[-2:]
            with gzip.open(path.parent / assembly / name, "rt", newline="") as file:
                rows += csv.DictReader(file)
    return rows


def summed(rows: Iterable[tuple[tuple[Any, ...], tuple[Decimal, ...]]]) -> Rows:
    """Adds up amounts by key, in the order of the keys."""
    totals: dict[tuple[Any, ...], tuple[Decimal, ...]] = defaultdict(tuple)
    for key, amounts in rows:
        known = totals[key] or (Decimal(),) * len(amounts)
        totals[key] = tuple(a + b for a, b in zip(known, amounts, strict=True))
    return [(*key, *amounts) for key, amounts in sorted(totals.items())]


def by_currency(rows: Rows) -> tuple[Rows, Rows]:
    """The rows in euros, which are Azure's, and those in dollars, which are AWS's."""
    euros = [row for row in rows if "EUR" in row]
    dollars = [row for row in rows if "USD" in row]
    assert len(euros) + len(dollars) == len(rows)
    return euros, dollars


def day(moment: datetime) -> date:
    """The UTC day of a time in a Parquet file, with or without its zone."""
    return moment.astimezone(UTC).date() if moment.tzinfo else moment.date()


class TestQuestions:
    def test_there_are_ten_and_two_of_them_are_about_aws(self) -> None:
        assert [title.split(".")[0] for title in QUESTIONS] == [str(n) for n in range(1, 11)]
        assert sum("aws_cur" in statement for statement, _ in QUESTIONS.values()) == 2
        assert sum("billing.focus" in statement for statement, _ in QUESTIONS.values()) == 8

    @pytest.mark.parametrize("title", ASKED)
    def test_both_warehouses_give_the_same_answer(
        self, answers: Mapping[str, tuple[Rows, Rows]], title: str
    ) -> None:
        in_duckdb, in_bigquery = answers[title]
        assert in_duckdb == in_bigquery
        assert in_duckdb
        assert any(isinstance(value, Decimal) and value for row in in_duckdb for value in row)

    @pytest.mark.parametrize("title", ASKED)
    def test_no_answer_has_a_float(
        self, answers: Mapping[str, tuple[Rows, Rows]], title: str
    ) -> None:
        assert not [value for row in answers[title][0] for value in row if type(value) is float]


class TestFiles:
    """The answers are those of the files, added up as decimals without either warehouse."""

    def answer(self, answers: Mapping[str, tuple[Rows, Rows]], number: int) -> Rows:
        return next(rows for title, (rows, _) in answers.items() if title.startswith(f"{number}."))

    def test_cost_by_month(self, answers: Mapping[str, tuple[Rows, Rows]]) -> None:
        euros, dollars = by_currency(self.answer(answers, 1))
        assert euros == summed(
            (
                (day(row["BillingPeriodStart"]), row["BillingCurrency"]),
                (row["BilledCost"], row["EffectiveCost"]),
            )
            for row in azure_charges()
        )
        assert [row[:3] for row in dollars] == summed(
            (
                (
                    date.fromisoformat(row["bill/BillingPeriodStartDate"][:10]),
                    row["lineItem/CurrencyCode"],
                ),
                (Decimal(row["lineItem/UnblendedCost"]),),
            )
            for row in aws_charges()
        )

    def test_the_view_has_the_amortized_cost_of_the_table(
        self, answers: Mapping[str, tuple[Rows, Rows]]
    ) -> None:
        _, dollars = by_currency(self.answer(answers, 1))
        in_october = next(row[3] for row in dollars if row[0] == date(2025, 10, 1))
        assert in_october == sum(row[3] for row in self.answer(answers, 10))

    def test_cost_by_team(self, answers: Mapping[str, tuple[Rows, Rows]]) -> None:
        euros, dollars = by_currency(self.answer(answers, 4))
        assert sorted(euros) == summed(
            (
                (
                    json.loads(row["Tags"] or "{}").get("team", "(no tag)"),
                    row["BillingCurrency"],
                ),
                (row["EffectiveCost"],),
            )
            for row in azure_charges()
            if day(row["BillingPeriodStart"]) == date(2025, 10, 1)
        )
        assert {row[0] for row in dollars} == {
            row["resourceTags/user:team"] or "(no tag)"
            for row in aws_charges()
            if row["bill/BillingPeriodStartDate"].startswith("2025-10")
        }

    def test_cost_by_day(self, answers: Mapping[str, tuple[Rows, Rows]]) -> None:
        euros, dollars = by_currency(self.answer(answers, 7))
        assert euros == summed(
            ((day(row["ChargePeriodStart"]), row["BillingCurrency"]), (row["EffectiveCost"],))
            for row in azure_charges()
            if day(row["BillingPeriodStart"]) == date(2025, 10, 1)
            and row["ChargeCategory"] == "Usage"
        )
        assert len(dollars) == 31

    def test_cost_by_account(self, answers: Mapping[str, tuple[Rows, Rows]]) -> None:
        def amounts(row: dict[str, str]) -> tuple[Decimal, ...]:
            cost = Decimal(row["lineItem/UnblendedCost"])
            is_credit = row["lineItem/LineItemType"] in {"Credit", "Refund"}
            return (
                Decimal() if is_credit else cost,
                cost if is_credit else Decimal(),
                cost,
            )

        assert self.answer(answers, 9) == summed(
            (
                (
                    date.fromisoformat(row["bill/BillingPeriodStartDate"][:10]),
                    row["lineItem/UsageAccountId"],
                    row["lineItem/CurrencyCode"],
                ),
                amounts(row),
            )
            for row in aws_charges()
        )
