"""Google's analyser reads every statement that BigQuery is sent, and every one of the docs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import bigquery as bq

from cloudbill.costs.cube import CubeRequest
from cloudbill.doctor.bigquery import check_bigquery
from cloudbill.doctor.rights import check_missing_dataset
from cloudbill.doctor.smoke_statements import STATEMENTS, grantee, start
from cloudbill.errors import LoadError, SchemaError
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.report.model import BY_DAY, BY_MONTH, BY_TAGS, measures_of
from cloudbill.settings import SourceSettings, read_source
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.surveying import read_present, survey
from cloudbill.text.odd_rows import odd_rows_remedy
from cloudbill.warehouses.bigquery.client import open_client
from cloudbill.warehouses.bigquery.full_access import full_access_statement
from cloudbill.warehouses.bigquery.incoming import look_at
from cloudbill.warehouses.bigquery.tables import (
    fit_table,
    new_table,
    partition_granularity,
)
from cloudbill.warehouses.bigquery.warehouse import BigQueryWarehouse
from contract.changed_months import ask_conversion, change_protected
from contract.places import DATASET, PROJECT
from contract.statements import (
    PARTITIONS,
    Sent,
    asking_lines,
    ledger_tables,
    recording,
    tables_of,
)

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator
    from emulators.googlesql import GoogleSql

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "azure_billing": ("azure/billing", "focus-daily", "azure_focus_billing_data"),
    "aws_billing": ("aws/cur", "cur-hourly", "aws_cur_billing_data"),
}
PERIODS = [BillingPeriod.parse(month) for month in ("2025-09", "2025-11")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was sent about one table, while the dataset had these tables."""

    tables: Mapping[tuple[str, ...], Mapping[str, str]]
    sent: list[Sent]
    table: bq.Table
    planned: PlannedLoad
    settings: SourceSettings


@pytest.fixture(scope="module")
def asked(bigquery_server: BigQueryEmulator) -> list[Asked]:
    """All that the warehouse asks, for both providers, by a period of times and of days."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server.url)
        return [
            everything_asked_of(section, kind, bigquery_server)
            for section in SAMPLES
            for kind in (ColumnType.TIMESTAMP, ColumnType.DATE)
        ]


def everything_asked_of(section: str, kind: ColumnType, server: BigQueryEmulator) -> Asked:
    """Makes the tables of a source, and calls whatever asks BigQuery about them."""
    server.reset()
    client = server.client(PROJECT)
    client.create_dataset(f"{PROJECT}.{DATASET}")
    provider = next(one for one in PROVIDERS.values() if section == one.SECTION)
    prefix, export, name = SAMPLES[section]
    settings = read_source(
        section,
        provider,
        [],
        {
            "bucket": str(ROOT / "sample_exports"),
            "prefix": prefix,
            "export_name": export,
            "table_name": name,
            "project_id": PROJECT,
            "dataset": DATASET,
        },
    )
    with recording() as sent, closing(BigQueryWarehouse.open(settings.warehouse)) as warehouse:
        found = survey(settings, read_present(settings, warehouse), Selection(), lambda _: None)
        planned = found.plan.loads[0]
        columns = [
            replace(one, type=kind) if one.target == planned.period_column else one
            for one in look_at(found.store, planned, provider, ()).columns
        ]
        table = client.create_table(table_of(f"{PROJECT}.{DATASET}.{name}", columns, planned))
        # The partitions of a table without rows are not asked.
        first_row = BIGQUERY.compose(
            "INSERT INTO {table} ({column}) VALUES ({kind} '2025-09-01')",
            table=(DATASET, name),
            column=planned.period_column,
            kind=Fragment(str(kind)),
        )
        client.query(first_row.text).result()
        for ledger, fields in ledger_tables(name).items():
            client.create_table(bq.Table(f"{PROJECT}.{DATASET}.{ledger}", schema=fields))
        read_present(settings, warehouse)
        ask_everything(warehouse, planned, settings)
        ask_conversion(client, warehouse, planned, table)
        change_protected(warehouse, planned, client, table)
        with closing(open_client(settings.warehouse)) as doctors:
            assert list(check_bigquery(doctors, settings, None))
            assert check_missing_dataset(doctors, settings).is_well
            start(doctors, "count", location=None, table=(PROJECT, DATASET, name)).result()
    tables = tables_of(client, DATASET)
    return Asked(tables=tables, sent=sent, table=table, planned=planned, settings=settings)


def table_of(reference: str, columns: list[Column], planned: PlannedLoad) -> bq.Table:
    """The table that the first load makes."""
    cluster = "ChargePeriodStart"
    if planned.period_column != "BillingPeriodStart":
        cluster = "line_item_usage_start_date"
    return new_table(
        reference, columns, period_column=planned.period_column, cluster_column=cluster
    )


def ask_everything(
    warehouse: BigQueryWarehouse, planned: PlannedLoad, settings: SourceSettings
) -> None:
    """Calls everything of the warehouse that reads tables."""
    table, provider = planned.table, settings.provider
    warehouse.table_months(table, planned.period_column)
    warehouse.daily_totals(table, planned.period)
    warehouse.month_totals(table, PERIODS)
    measures = measures_of(provider.ROLES, provider.COST_COLUMNS)
    for request in (
        CubeRequest(dimensions=BY_MONTH, measures=measures),
        CubeRequest(dimensions=BY_DAY, measures=measures, since=PERIODS[0]),
        CubeRequest(dimensions=BY_TAGS, measures=measures, with_tags=True, most=9),
    ):
        warehouse.cost_cube(table, request)
    for newest_only in (True, False):
        warehouse.read_ledger("cloudbill", [f"{table}_load_tracking"], newest_only=newest_only)
    warehouse.require_ledger_writable()
    dataset = warehouse._dataset  # noqa: SLF001
    dataset.rows_and_totals(planned)
    dataset.billed(table, planned)
    dataset.billed(table, planned, without_credits=True)
    dataset.rows_by_day(table, planned)
    dataset.days_with_rows(planned)
    dataset.write_mark(planned)


def statements_of(sent: Sent) -> list[str]:
    """The statements of a script; of those that are sent, only transactions are scripts."""
    if not sent.statement.startswith("BEGIN TRANSACTION;"):
        return [sent.statement]
    return sent.statement.removesuffix(";").split("; ")


def faults_in(google_sql: GoogleSql, asked: Asked) -> dict[str, str]:
    """What GoogleSQL says against the statements, by the statement."""
    google_sql.know(asked.tables)
    every = {(one.statement, *sorted(one.parameters.items())): one for one in asked.sent}
    found = {
        statement: google_sql.fault_of(statement, one.parameters)
        for one in every.values()
        for statement in statements_of(one)
    }
    return {statement: fault for statement, fault in found.items() if fault is not None}


def test_google_accepts_every_statement_that_is_sent(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        assert faults_in(google_sql, one) == {}
        assert len(one.sent) > 15


def test_every_line_that_asks_bigquery_has_sent_a_statement(asked: list[Asked]) -> None:
    reached = {line for one in asked for sent in one.sent for line in sent.lines}
    silent = [
        (file, first)
        for file, first, last in asking_lines()
        if not any((file, line) in reached for line in range(first, last + 1))
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("part", "other", "said"),
    [
        ("SUM(", "SUMME(", "Function not found: SUMME"),
        ("BillingPeriodStart", "BillingPeriod", "Unrecognized name: BillingPeriod"),
        ("DATE '1960-01-01'", "TIMESTAMP '1960-01-01'", "No matching signature for operator <"),
        ("GROUP BY `key_0`", "GROUP BY", "Syntax error"),
    ],
)
def test_a_statement_that_is_broken_is_refused(
    google_sql: GoogleSql, asked: list[Asked], part: str, other: str, said: str
) -> None:
    azure_by_day = asked[1]
    whole = next(
        one for one in azure_by_day.sent if part in one.statement and "SUM(" in one.statement
    )
    broken = replace(whole, statement=whole.statement.replace(part, other))
    (fault,) = faults_in(google_sql, replace(azure_by_day, sent=[whole, broken])).values()
    assert said in fault


def test_a_day_is_not_compared_with_a_time(google_sql: GoogleSql, asked: list[Asked]) -> None:
    # What was sent before days had parameters of their own.
    by_day = asked[1]
    whole = next(one for one in by_day.sent if "month_start" in one.parameters)
    assert set(whole.parameters.values()) == {"DATE"}
    old = replace(whole, parameters=dict.fromkeys(whole.parameters, "TIMESTAMP"))
    (fault,) = faults_in(google_sql, replace(by_day, sent=[old])).values()
    assert "No matching signature for operator >=" in fault


def test_google_accepts_the_statements_that_convert_a_table(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        name = (PROJECT, DATASET, one.planned.table)
        new = (PROJECT, DATASET, f"{one.planned.table}_converted")
        for message, types in conversions_of(one):
            before = dict(one.tables[name]) | types
            after = {key: kind for key, kind in before.items() if key not in types}
            after |= dict.fromkeys(types, "BIGNUMERIC")
            statements = re.findall(r"^  (\w+ .*);$", message, re.MULTILINE)
            assert [words(one) for one in statements] == [
                "CREATE TABLE",
                *(["ALTER TABLE"] * 2 if types else []),
                "INSERT INTO",
                "ALTER TABLE",
                "ALTER TABLE",
            ]
            google_sql.know(dict(one.tables) | {name: before})
            assert google_sql.fault_of(statements[0]) is None
            # The analyser takes a day for a time here; "CREATE TABLE statement" does not.
            kind = before[one.planned.period_column]
            assert (f" PARTITION BY {kind}_TRUNC(" in statements[0]) == (not types)
            kept = {key: kind for key, kind in after.items() if key not in types}
            steps = [*([before, kept] if types else []), after, after, after]
            for statement, columns in zip(statements[1:], steps, strict=True):
                google_sql.know(dict(one.tables) | {name: before, new: columns})
                assert google_sql.fault_of(statement) is None


def words(statement: str) -> str:
    """The first two words of a statement."""
    return " ".join(statement.split()[:2])


def test_google_accepts_the_statement_that_widens_amounts(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        provider = one.settings.provider
        costs = provider.COST_COLUMNS
        known = dict(one.tables)
        known[PROJECT, DATASET, one.planned.table] = dict.fromkeys(costs, "NUMERIC")
        google_sql.know(known)
        narrow = bq.Table(
            one.table.reference, schema=[bq.SchemaField(name, "NUMERIC") for name in costs]
        )
        with pytest.raises(SchemaError) as refused:
            fit_table(narrow, look_of(costs), one.planned, provider)
        (statement,) = re.findall("Run `(.*)`, and load again", str(refused.value))
        assert statement.count("SET DATA TYPE BIGNUMERIC") == len(costs)
        assert google_sql.fault_of(statement) is None


def look_of(costs: Iterable[str]) -> list[Column]:
    """The cost columns of a run."""
    return [Column(name=one, target=one, type=ColumnType.DECIMAL) for one in costs]


def conversions_of(asked: Asked) -> Iterator[tuple[str, dict[str, str]]]:
    """What is said of tables that are refused, and the types of their columns that change.

    One is not partitioned, of which one lacks the cluster column; the costs of one are doubles.
    """
    provider = asked.settings.provider
    plain = bq.Table(asked.table.reference, schema=asked.table.schema)
    without_cluster = bq.Table(
        asked.table.reference,
        schema=[one for one in plain.schema if one.name != provider.CLUSTER_COLUMN],
    )
    for table in (plain, without_cluster):
        with pytest.raises(LoadError) as refused:
            partition_granularity(
                table,
                period_column=provider.PERIOD_COLUMN,
                cluster_column=provider.CLUSTER_COLUMN,
            )
        yield str(refused.value), {}
    costs = provider.COST_COLUMNS[:2]
    doubles = bq.Table(
        asked.table.reference,
        schema=[
            bq.SchemaField(one.name, "FLOAT") if one.name in costs else one for one in plain.schema
        ],
    )
    doubles.time_partitioning = asked.table.time_partitioning
    with pytest.raises(SchemaError) as widened:
        fit_table(doubles, look_of(costs), asked.planned, provider)
    yield str(widened.value), dict.fromkeys(costs, "FLOAT")


def test_google_accepts_the_statement_that_lets_an_account_see_all_rows(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        google_sql.know(one.tables)
        assert google_sql.fault_of(full_access_statement(one.table)) is None


def test_google_accepts_the_query_that_finds_rows_of_no_month(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        google_sql.know(one.tables)
        column = one.settings.provider.PERIOD_COLUMN
        said = odd_rows_remedy(BIGQUERY, (PROJECT, DATASET, one.planned.table), column)
        (condition,) = re.findall(r"`SELECT \* (.*)`, and", said)
        assert google_sql.fault_of(f"SELECT * {condition}") is None
        assert google_sql.fault_of(f"DELETE {condition}") is None


def test_google_accepts_the_statements_of_the_smoke_test(google_sql: GoogleSql) -> None:
    probe, staging = (PROJECT, DATASET, "probe"), (PROJECT, DATASET, "staging")
    columns = {"period": "TIMESTAMP", "word": "STRING"}
    listing = (PROJECT, DATASET, "INFORMATION_SCHEMA", "PARTITIONS")
    google_sql.know({probe: columns, staging: columns, listing: PARTITIONS})
    to = grantee("loader@acme.iam.gserviceaccount.com")
    for name, template in STATEMENTS.items():
        text = BIGQUERY.compose(
            template, dataset=probe[:2], table=probe, staging=staging, grantee=to
        ).text
        for statement in text.rstrip(";").split("; "):
            assert google_sql.fault_of(statement, {"table": "STRING"}) is None, name


def test_only_an_account_becomes_part_of_a_statement() -> None:
    assert str(grantee("ada@example.com")) == "'user:ada@example.com'"
    for name in ("ada", "ada@example.com') --", "principal://iam/ada"):
        with pytest.raises(LoadError, match="is no account"):
            grantee(name)


def blocks_of_docs() -> dict[str, str]:
    """Every block of SQL that a reader may run in BigQuery, by where it is."""
    found: dict[str, str] = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text()
        for block in re.finditer(r"```sql\n(.*?)```", text, re.DOTALL):
            if not text[: block.start()].rstrip().endswith("\nDuckDB:"):
                line = text[: block.start()].count("\n") + 1
                found[f"{page.name}:{line}"] = block[1]
    return found


def test_google_accepts_the_queries_of_the_docs(google_sql: GoogleSql, asked: list[Asked]) -> None:
    known: dict[tuple[str, ...], Any] = {}
    for one in (asked[0], asked[2]):
        known |= {("billing", *names[2:]): columns for names, columns in one.tables.items()}
        known |= {
            ("my-project", "finops", *names[2:]): columns for names, columns in one.tables.items()
        }
    google_sql.know(known)
    blocks = blocks_of_docs()
    assert len(blocks) >= 10
    faults = {where: google_sql.fault_of(block) for where, block in blocks.items()}
    assert {where: fault for where, fault in faults.items() if fault is not None} == {}
