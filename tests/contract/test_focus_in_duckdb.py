"""The FOCUS views in DuckDB, over sample exports with every column that a provider has."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudbill.costs.cube import CubeRequest, Dimension
from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.keeping import keep_views
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.report.collecting import collect
from cloudbill.report.model import KINDS, measures_of
from cloudbill.report.page_json import page_json
from cloudbill.sample.aws.forms import AwsForm
from cloudbill.settings import SourceSettings, read_source
from cloudbill.sql import Fragment
from cloudbill.warehouses import open_warehouse
from cloudbill.warehouses.view_dialects import Kind
from samples import write_aws, write_azure

DATASET = "billing"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MONTHS = {
    AwsForm.CSV: (2, (2025, 9)),
    AwsForm.CUR2_PARQUET: (1, (2025, 7)),
    AwsForm.FOCUS_1_2: (1, (2025, 10)),
}
"""How many months of each form up to which; they are of one account, and no month has two forms."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A file with the bills of every provider, and the views."""

    database: Path
    exports: Path
    sources: tuple[SourceSettings, ...]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with duckdb.connect(str(self.database), read_only=True, config={"threads": 1}) as reader:
            reader.execute(f"SET TimeZone = 'UTC'; USE {DATASET}")
            return reader.execute(query).fetchall()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Months of each form of AWS, and two of Azure."""
    folder = tmp_path_factory.mktemp("focus")
    exports, database = folder / "exports", folder / "bills.duckdb"
    shared: dict[str, Any] = {"rows": 60, "seed": 1, "open_month": False, "runs_per_month": 1}
    write_azure(exports / "azure", months=2, **shared)
    for form, (months, last) in MONTHS.items():
        own: dict[str, Any] = {
            "form": form,
            "months": months,
            "last": last,
            "report_name": "bill",
            "prefix": "",
        }
        write_aws(exports / form, **own, **shared)
    places = {
        "azure_billing": ("azure", "azure/billing", "focus-daily"),
        "aws_billing.report": ("aws", AwsForm.CSV, "bill"),
        "aws_billing.cur2": ("aws", AwsForm.CUR2_PARQUET, "bill"),
        "aws_focus_billing": ("aws_focus", AwsForm.FOCUS_1_2, "bill"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        Container()[PluggableRunContext].reload(str(folder))
        sources = []
        for name, (provider, prefix, export) in places.items():
            given = {
                "bucket": str(exports),
                "prefix": prefix,
                "export_name": export,
                "table_name": name.replace(".", "_"),
                "dataset": DATASET,
                "database": str(database),
                "cache": "false",
            }
            sources.append(read_source(name, PROVIDERS[provider], [], given))
            assert load_source(sources[-1], Selection(), lambda _: None).exit_code == 0
        assert len(keep_views(sources).changed) == 3
        yield Loaded(database=database, exports=exports, sources=tuple(sources))


def test_sums_are_those_of_the_tables_to_the_last_digit(loaded: Loaded) -> None:
    """Every kind of cost is the one that `report` says, with its own rules."""
    expected = {}
    for source in loaded.sources:
        request = CubeRequest(
            dimensions=(Dimension.MONTH, Dimension.CURRENCY),
            measures=measures_of(source.provider.ROLES),
        )
        with closing(open_warehouse(source.warehouse, read_only=True)) as warehouse:
            for cell in warehouse.cost_cube(source.table_name, request).cells:
                expected[source.source, *cell.key] = cell.amounts
    found = loaded.rows(
        "SELECT x_Source, x_BillingMonth, BillingCurrency, sum(BilledCost), sum(EffectiveCost), "
        "sum(ListCost), sum(ContractedCost) FROM focus GROUP BY ALL"
    )
    assert len(expected) == 6
    assert {row[:3]: row[3:] for row in found} == expected
    assert all(len(set(amounts)) == len(KINDS) for amounts in expected.values())


def test_purchases_of_the_report_are_those_of_the_views(loaded: Loaded) -> None:
    """Of every kind of cost, for what is unused of a commitment is no purchase."""
    page: Any = page_json(tuple(collect(source)[0] for source in loaded.sources), NOW)
    expected: dict[tuple[str, ...], list[Decimal]] = {}
    for month, day, word, source, _, _, _, currency, *amounts in page["daily"]:
        key = (page["sources"][source]["name"], month, day, currency_of(page, currency), word)
        costs = expected.setdefault(key, [Decimal(0)] * len(KINDS))
        for at, text in enumerate(amounts):
            costs[at] += Decimal((amounts[0] if text == "=" else text) or 0)
    found = loaded.rows(
        "SELECT x_Source, x_BillingMonth, CAST(CAST(ChargePeriodStart AS DATE) AS TEXT), "
        "BillingCurrency, CASE WHEN ChargeCategory <> 'Purchase' THEN '' "
        "WHEN ChargeFrequency = 'One-Time' THEN 'once' ELSE 'recurring' END AS word, "
        "sum(BilledCost), sum(EffectiveCost), sum(ListCost), sum(ContractedCost) "
        "FROM focus GROUP BY ALL"
    )
    assert {row[:5]: list(row[5:]) for row in found} == expected
    names = {source.source for source in loaded.sources}
    assert {(key[0], key[-1]) for key in expected} == {
        (name, word) for name in names for word in ("once", "recurring", "")
    }


def currency_of(page: Any, index: int) -> str:
    """The name of a currency of a page."""
    return str(page["names"]["currency"][index]["text"])


def test_what_is_delivered_as_focus_is_the_same_cell_for_cell(loaded: Loaded) -> None:
    parts = (loaded.exports / AwsForm.FOCUS_1_2).rglob("*.parquet")
    delivered = [row for part in parts for row in pq.read_table(part).to_pylist()]
    columns = columns_of(Version.V1_2)
    listed = ", ".join(f'"{column.name}"' for column in columns)
    rows = loaded.rows(
        f"SELECT {listed} FROM focus WHERE x_Source = 'aws_focus_billing'"  # noqa: S608
    )
    names = {column.name for column in columns}
    assert names - delivered[0].keys() == set()
    wanted = [
        tuple(shown(row[column.name], column.kind) for column in columns) for row in delivered
    ]
    found = [
        tuple(shown(cell, column.kind) for cell, column in zip(row, columns, strict=True))
        for row in rows
    ]
    assert Counter(found) == Counter(wanted)
    assert len(wanted) > 60


def shown(value: Any, kind: Kind) -> str | None:
    """A cell of a file or of the view, in one spelling; what is empty is nothing."""
    if value in {None, ""} if not isinstance(value, list) else not value:
        return None
    if kind is Kind.JSON:
        members = dict(value) if isinstance(value, list) else json.loads(value)
        return json.dumps(members, sort_keys=True) if members else None
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    if kind is Kind.MONEY:
        return f"{Decimal(repr(value)) if isinstance(value, float) else value:f}".rstrip("0") or "0"
    return str(value)


def test_a_filter_of_the_billing_period_reaches_the_scan_of_every_table(loaded: Loaded) -> None:
    query = "SELECT sum(BilledCost) FROM focus WHERE BillingPeriodStart = TIMESTAMP '2025-09-01'"
    ((_, text),) = loaded.rows(f"EXPLAIN (FORMAT json) {query}")
    scans = list(scans_in(json.loads(text)))
    tables = {str(scan["Table"]).rpartition(".")[2].strip('"') for scan in scans}
    # The others have no such month, which DuckDB knows without reading them.
    assert tables == {"azure_billing", "aws_billing_report"}
    assert len(scans) == 3  # a report is read once more, for what is unused of commitments
    assert [scan for scan in scans if "2025-09-01" not in str(scan.get("Filters", ""))] == []


def scans_in(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What the plan says of each scan of a table."""
    for node in nodes:
        if "Table" in node["extra_info"]:
            yield node["extra_info"]
        yield from scans_in(node["children"])


@pytest.mark.parametrize("what", ["view", "table"])
def test_a_reader_sees_what_was_there_before_or_what_is_there_now(
    loaded: Loaded, tmp_path: Path, what: str
) -> None:
    settings = replace(loaded.sources[0], database=tmp_path / "bills.duckdb")
    seen: set[tuple[Any, ...]] = set()
    looks = 0
    is_over = threading.Event()
    with (
        closing(open_warehouse(settings.warehouse)) as warehouse,
        closing(duckdb.connect(str(settings.database))) as connection,
    ):
        views = warehouse.views
        replace_ = views.replace_view if what == "view" else views.replace_table
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DATASET}")
        replace_("word", Fragment("SELECT 'word 0' AS word"), "comment 0")

        def read() -> None:
            nonlocal looks
            listed = f"duckdb_{what}s()"
            while not is_over.is_set():
                seen.update(connection.execute(f"SELECT word FROM {DATASET}.word").fetchall())  # noqa: S608
                query = (
                    f"SELECT replace(comment, 'comment', 'word') FROM {listed} WHERE NOT internal"  # noqa: S608
                )
                seen.update(connection.execute(query).fetchall())
                looks += 1

        thread = threading.Thread(target=read)
        thread.start()
        for turn in range(60):
            text = f"SELECT 'word {turn % 2}' AS word"
            replace_("word", Fragment(text), f"comment {turn % 2}")
        is_over.set()
        thread.join()
    assert seen == {("word 0",), ("word 1",)}
    assert looks > 10
