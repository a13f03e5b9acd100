"""Google's analyser reads every statement that BigQuery is sent, and every one of the docs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import bigquery as bq

from cloudbill.doctor.smoke_statements import STATEMENTS, grantee
from cloudbill.errors import LoadError, SchemaError
from cloudbill.focus.views import FAULTS, views_of
from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import BIGQUERY
from cloudbill.text.odd_rows import odd_rows_remedy
from cloudbill.warehouses.bigquery.full_access import full_access_statement
from cloudbill.warehouses.bigquery.tables import (
    fit_into,
    partition_granularity,
)
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS
from contract.asked import ROOT, Asked, everything_asked_of
from contract.places import DATASET, PROJECT
from contract.statements import (
    PARTITIONS,
    Sent,
    asking_lines,
)
from focus_tables import GOOGLE_TYPES, source_of

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator
    from emulators.googlesql import GoogleSql


@pytest.fixture(scope="module")
def asked(bigquery_server: BigQueryEmulator) -> list[Asked]:
    """All that the warehouse asks, for both providers, and by a period of days."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server.url)
        return [
            everything_asked_of(section, kind, bigquery_server)
            for section, kind in (
                ("azure_billing", ColumnType.TIMESTAMP),
                ("azure_billing", ColumnType.DATE),
                ("aws_billing", ColumnType.TIMESTAMP),
            )
        ]


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


def test_no_statement_depends_on_the_zone_of_the_project(asked: list[Asked]) -> None:
    """A project or a dataset may have another zone than UTC as its default."""
    zoneless = re.compile(r"(?<!NULL) AS (?:TIMESTAMP|DATETIME)\)|\b(?:DATE|TIMESTAMP)\(`\w+`\)")
    for one in asked:
        assert [sent.statement for sent in one.sent if zoneless.search(sent.statement)] == []


@pytest.mark.parametrize("index", [0, 2], ids=["azure", "aws"])
def test_a_table_may_be_called_like_one_of_its_columns(
    google_sql: GoogleSql, asked: list[Asked], index: int
) -> None:
    """Under its own name, it would hide that column."""
    one = asked[index]
    name = (PROJECT, DATASET, one.planned.table)
    provider = one.settings.provider
    # Each provider with one of the columns, for they are written alike.
    column = provider.COST_COLUMNS[0] if index else provider.PERIOD_COLUMN
    tables = {(*name[:2], column) if key == name else key: one.tables[key] for key in one.tables}
    sent = [
        replace(sent, statement=sent.statement.replace(f"`{name[2]}`", f"`{column}`"))
        for sent in one.sent
        if f"`{name[2]}`" in sent.statement
    ]
    assert len(sent) > 15
    assert faults_in(google_sql, replace(one, tables=tables, sent=sent)) == {}


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
            after = before | dict.fromkeys(types, "BIGNUMERIC")
            statements = re.findall(r"^  (\w+ .*);$", message, re.MULTILINE)
            assert [words(one) for one in statements] == [
                "CREATE TABLE",
                *(["ALTER TABLE"] if types else []),
                "INSERT INTO",
                "ALTER TABLE",
                "ALTER TABLE",
            ]
            google_sql.know(dict(one.tables) | {name: before})
            assert google_sql.fault_of(statements[0]) is None
            # The analyser takes a day for a time here; "CREATE TABLE statement" does not.
            assert " PARTITION BY " in statements[0]
            for statement in statements[1:]:
                google_sql.know(dict(one.tables) | {name: before, new: after})
                assert google_sql.fault_of(statement) is None


def test_google_accepts_the_statements_that_convert_a_table_with_other_clusters(
    google_sql: GoogleSql, asked: list[Asked]
) -> None:
    for one in asked:
        name = (PROJECT, DATASET, one.planned.table)
        new = (PROJECT, DATASET, f"{one.planned.table}_converted")
        columns = dict(one.tables[name])
        cost = one.settings.provider.BILLED_COLUMN
        clustered = bq.Table(
            one.table.reference,
            schema=[
                bq.SchemaField(column.name, "INTEGER", mode="REQUIRED", description='a "cost"\n\\')
                if column.name == cost
                else column
                for column in one.table.schema
            ],
        )
        clustered.time_partitioning = one.table.time_partitioning
        clustered.clustering_fields = [cost, *(one.table.clustering_fields or ())]
        with pytest.raises(SchemaError) as refused:
            fit_into(clustered, look_of([cost]), one.settings.provider, one.planned.manifest)
        statements = re.findall(r"^  (\w+ .*);$", str(refused.value), re.MULTILINE)
        assert len(statements) == 5
        before = {name: columns | {cost: "INTEGER"}}
        google_sql.know(dict(one.tables) | before)
        # The analyser takes a day for a time here; "CREATE TABLE statement" does not.
        assert google_sql.fault_of(statements[0]) is None
        google_sql.know(dict(one.tables) | before | {new: columns})
        for statement in statements[1:]:
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
            fit_into(narrow, look_of(costs), provider, one.planned.manifest)
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
        fit_into(doubles, look_of(costs), provider, asked.planned.manifest)
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
            template,
            dataset=probe[:2],
            table=probe,
            staging=staging,
            grantee=to,
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


def views_of_docs() -> dict[tuple[str, ...], dict[str, str]]:
    """The columns of the FOCUS views over the bills of every provider."""
    shapes = ("azure 1.2", "aws both", "aws_focus 1.2")
    sources = [source_of(shape, BIGQUERY_FOCUS, (shape,)) for shape in shapes]
    views: dict[tuple[str, ...], dict[str, str]] = {
        ("billing", view.name): {column.name: GOOGLE_TYPES[column.kind] for column in view.columns}
        for view in views_of(sources, BIGQUERY_FOCUS, ("billing",))
    }
    texts = ("x_Source", "x_BillingMonth", "BillingCurrency", "Rule")
    views["billing", FAULTS] = {
        **dict.fromkeys(texts, "STRING"),
        "FaultyRows": "INTEGER",
        "BilledCost": "BIGNUMERIC",
    }
    return views


def test_google_accepts_the_queries_of_the_docs(google_sql: GoogleSql, asked: list[Asked]) -> None:
    known: dict[tuple[str, ...], Any] = {}
    for one in (asked[0], asked[2]):
        known |= {("billing", *names[2:]): columns for names, columns in one.tables.items()}
        known |= {
            ("my-project", "finops", *names[2:]): columns for names, columns in one.tables.items()
        }
    google_sql.know(known | views_of_docs())
    blocks = blocks_of_docs()
    assert len(blocks) >= 10
    faults = {where: google_sql.fault_of(block) for where, block in blocks.items()}
    assert {where: fault for where, fault in faults.items() if fault is not None} == {}
