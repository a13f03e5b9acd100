"""`export` of both warehouses: files that any engine reads, with every digit, and whole."""

from __future__ import annotations

from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.dataset as arrow
import pytest

from cloudbill.errors import ConfigError
from cloudbill.focus.keeping import keep_views
from cloudbill.looking.export_files import database_file, monthly_files
from cloudbill.looking.export_sums import Bill, bill_of_table, bill_of_view
from cloudbill.looking.exporting import ExportedMonth, export_bill
from cloudbill.periods import BillingPeriod
from contract.conftest import LOOKING_WAYS, in_ways
from contract.deliveries import Delivery, charges
from contract.octobers import EARLY, LATEST, october

if TYPE_CHECKING:
    from contract.places import Case
    from emulators.fixtures import Cloud

WAYS = LOOKING_WAYS
OWN_FILE = True
LONG = "12345678901234567890.123456789012345678"
MINUS = "-0.000000000000000001"
SEPTEMBER, OCTOBER = BillingPeriod(year=2025, month=9), BillingPeriod(year=2025, month=10)


@pytest.fixture
def loaded(case: Case) -> Case:
    """Two months, and the views over them."""
    september = Delivery(period="2025-09", charges=charges("2025-09", "1", "2"), submitted_at=EARLY)
    case.deliver(september, october(LONG, MINUS, note="a,\"b'"))
    case.load()
    keep_views([case.settings])
    return case


def export(
    bill: Bill,
    output: Path,
    form: str = "parquet",
    *,
    months: Collection[BillingPeriod] = (),
    wrote: Callable[[ExportedMonth], None] = lambda _: None,
) -> list[Path]:
    """Exports a bill, and gives the files that were removed for it."""
    opened = database_file(output) if form == "duckdb" else monthly_files(output, form)
    with opened as files:
        export_bill(bill, months, files, wrote=wrote, warn=pytest.fail, scans=lambda *_: None)
        return list(files.finish([bill.name], is_whole=not months))


def tree(folder: Path) -> list[str]:
    """Every file below a folder, and every folder without one."""
    return sorted(
        str(one.relative_to(folder))
        for one in folder.rglob("*")
        if one.is_file() or not any(one.iterdir())
    )


def test_engines_read_the_months_with_every_digit(loaded: Case, tmp_path: Path) -> None:
    cost, output = loaded.writer.cost_column, tmp_path / "out"
    export(bill_of_table(loaded.settings), output)
    assert tree(output) == [
        "bill/billing_month=2025-09/bill.parquet",
        "bill/billing_month=2025-10/bill.parquet",
    ]
    query = (
        f"SELECT billing_month, max({cost}), min({cost}), typeof(any_value({cost})) "  # noqa: S608
        f"FROM read_parquet('{output}/bill/*/*.parquet', hive_partitioning = true) "
        "GROUP BY 1 ORDER BY 1"
    )
    assert duckdb.execute(query).fetchall() == [
        ("2025-09", Decimal(2), Decimal(1), "DECIMAL(38,18)"),
        ("2025-10", Decimal(LONG), Decimal(MINUS), "DECIMAL(38,18)"),
    ]
    dataset = arrow.dataset(output / "bill", partitioning="hive")
    held = dataset.to_table(filter=arrow.field("billing_month") == "2025-10")
    assert sorted(held[cost].to_pylist()) == [Decimal(MINUS), Decimal(LONG)]
    assert {*held[loaded.writer.note_column].to_pylist()} == {"a,\"b'"}


def test_csv_and_a_duckdb_file_have_the_same(loaded: Case, tmp_path: Path) -> None:
    cost, bill = loaded.writer.cost_column, bill_of_table(loaded.settings)
    export(bill, tmp_path / "out", "csv")
    export(bill, tmp_path / "out.duckdb", "duckdb")
    csv = tmp_path / "out/bill/billing_month=2025-10/bill.csv"
    rows = duckdb.execute(f"SELECT {cost} FROM read_csv('{csv}', all_varchar = true)").fetchall()  # noqa: S608
    assert sorted(Decimal(text) for (text,) in rows) == [Decimal(MINUS), Decimal(LONG)]
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as made:
        found = made.execute(f"SELECT {cost} FROM bill ORDER BY 1").fetchall()  # noqa: S608
        tags = made.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchone()
    assert found == [(Decimal(one),) for one in (MINUS, "1", "2", LONG)]
    assert tags is not None
    assert "v1.4.0" in str(tags)


def test_views_are_exported_as_tables_are(
    loaded: Case, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if loaded.place.name == "bigquery":
        request.getfixturevalue("cloud").bigquery.knows_columns_of_views = True
    for view in ("focus", "focus_faults"):
        bill = bill_of_view(loaded.settings, view, (loaded.settings.source,))
        export(bill, tmp_path / "out", months=[OCTOBER])
    assert tree(tmp_path / "out")[0] == "focus/billing_month=2025-10/focus.parquet"
    file = tmp_path / "out/focus/billing_month=2025-10/focus.parquet"
    (row,) = duckdb.execute(f"SELECT max(BilledCost), count(*) FROM '{file}'").fetchall()  # noqa: S608
    assert row == (Decimal(LONG), 2)


def test_an_export_replaces_its_own_files_and_no_others(loaded: Case, tmp_path: Path) -> None:
    bill, output = bill_of_table(loaded.settings), tmp_path / "out"
    for other in ("bill/billing_month=2025-01/bill.parquet", "bill/billing_month=2025-01/mine.txt"):
        (output / other).parent.mkdir(parents=True, exist_ok=True)
        (output / other).write_text("old")
    export(bill, output, months=[SEPTEMBER])
    assert "bill/billing_month=2025-01/bill.parquet" in tree(output)
    removed = export(bill, output, "csv")
    assert [file.parent.name for file in removed] == [
        "billing_month=2025-01",
        "billing_month=2025-09",
    ]
    assert tree(output) == [
        "bill/billing_month=2025-01/mine.txt",
        "bill/billing_month=2025-09/bill.csv",
        "bill/billing_month=2025-10/bill.csv",
    ]


def test_nothing_is_exported_where_nothing_is_loaded(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Run `cloudbill load` first"):
        export(bill_of_table(case.settings), tmp_path / "out")
    assert tree(tmp_path / "out") == []
    assert not list(tmp_path.glob("*.duckdb"))


@in_ways([("azure csv", "duckdb")])
def test_a_file_that_no_export_has_written_is_not_replaced(case: Case, tmp_path: Path) -> None:
    case.deliver(october("1"))
    case.load()
    bill, theirs = bill_of_table(case.settings), tmp_path / "theirs.duckdb"
    with duckdb.connect(str(theirs)) as own:
        own.execute("CREATE TABLE precious AS SELECT 1")
    for output in (theirs, case.settings.database):
        with pytest.raises(ConfigError, match="no export has written it"):
            export(bill, output, "duckdb")
    ours = tmp_path / "ours.duckdb"
    for _ in range(2):
        export(bill, ours, "duckdb")
    assert ours.exists()


@in_ways([("azure csv", "duckdb")])
def test_a_name_may_have_any_characters(case: Case, tmp_path: Path) -> None:
    case.keys = {"table_name": '../my "bill\'s" 100%'}
    case.deliver(october("1"))
    case.load()
    bill = bill_of_table(case.settings)
    for form in ("parquet", "csv"):
        export(bill, tmp_path / "out", form)
    export(bill, tmp_path / "out.duckdb", "duckdb")
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.parent == tmp_path / "out"
    assert len(tree(tmp_path / "out")) == 1


@in_ways([("azure parquet", "bigquery")])
def test_a_month_that_is_replaced_meanwhile_is_exported_as_it_is_then(
    loaded: Case, tmp_path: Path, cloud: Cloud
) -> None:
    written = []

    def replace_october(month: ExportedMonth) -> None:
        written.append((str(month.period), month.sums.rows))
        if month.period == SEPTEMBER:
            loaded.deliver(october("3", "4", "5", submitted_at=LATEST))
            loaded.load()

    export(bill_of_table(loaded.settings), tmp_path / "out", wrote=replace_october)
    assert written == [("2025-09", 2), ("2025-10", 3)]
    # Rows of a table are listed, and nothing is billed for them.
    assert not [job for job in cloud.bigquery.jobs() if "SELECT `BilledCost`" in str(job)]
