"""The FOCUS views of what was loaded into each warehouse: every charge once, every sum exact."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.errors import LoadError
from cloudbill.focus.keeping import FocusPlan, datasets_of, look_at_views
from cloudbill.focus.views import VIEWS
from cloudbill.warehouses import open_warehouse
from contract.aws_deliveries import AwsFocusCsvWriter, Cur2CsvWriter
from contract.deliveries import AwsWriter, AzureWriter, Delivery, Writer, charges
from contract.focus_bills import (
    Books,
    LinesWriter,
    VersionedAzureWriter,
    delivered_lines,
    line,
    totals,
)
from contract.octobers import EARLY, LATE, LATEST, october
from contract.places import DATASET, Case, GcsAndBigQuery, Place

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

SOURCE_MONTH = ("x_Source", "x_BillingMonth", "BillingCurrency")
PLAN = "arn:aws:savingsplans::123456789012:savingsplan/0b2c"


@pytest.fixture
def books(request: pytest.FixtureRequest, place: Place) -> Books:
    """The views of the place, of which there are none yet."""
    is_google = place.name == "bigquery"
    return Books(place, request.getfixturevalue("google_sql") if is_google else None)


@pytest.fixture
def source(place: Place, tmp_path: Path) -> Callable[..., Case]:
    """The case of a source, by its writer and its section."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def made(writer: Writer, export: str | None = None, **keys: str) -> Case:
        return Case(place=place, writer=writer, scratch=scratch, export=export, keys=keys)

    return made


def load(case: Case, *deliveries: Delivery) -> SourceSettings:
    """Delivers and loads, without the views."""
    case.deliver(*deliveries)
    outcome = case.load()
    assert [str(failure.error) for failure in outcome.failures] == []
    assert outcome.results
    return case.settings


def billed(books: Books) -> dict[tuple[Any, ...], Decimal]:
    """The billed costs by source and month."""
    found = totals(books.charges(), "BilledCost", by=("x_Source", "x_BillingMonth"))
    return {key: cost for key, (cost,) in found.items()}


def september(*costs: str, **options: Any) -> Delivery:
    """A run of September with one charge a day."""
    values = {"submitted_at": EARLY, **options}
    return Delivery(period="2025-09", charges=charges("2025-09", *costs), **values)


def names(plan: FocusPlan) -> list[str]:
    """The views that a plan makes."""
    return [view.name for view in plan.changed]


def test_every_charge_is_there_once_whoever_looks(
    books: Books, source: Callable[..., Case]
) -> None:
    azure = source(writer := VersionedAzureWriter(), "main")
    load(azure, september("1.5", "0.000000000000000001"))
    writer.version = "1.2-preview"
    load(azure, october("2.5", "-0.25", note="a line"))
    cur2 = source(Cur2CsvWriter(), "cur2")
    load(cur2, september("0.30000000000000004"), october("-1.81E-8"))
    focus = source(AwsFocusCsvWriter(), "export")
    load(focus, september("7"))
    every = [case.settings for case in (azure, cur2, focus)]

    assert names(books.keep(*every)) == [*VIEWS]

    found = books.charges()
    # September of AWS came as CUR 2.0 and as FOCUS, which counts.
    assert totals(found, "BilledCost", by=SOURCE_MONTH) == {
        ("azure_billing.main", "2025-09", "EUR"): (Decimal("1.500000000000000001"),),
        ("azure_billing.main", "2025-10", "EUR"): (Decimal("2.25"),),
        ("aws_billing.cur2", "2025-10", "EUR"): (Decimal("-1.81E-8"),),
        ("aws_focus_billing.export", "2025-09", "EUR"): (Decimal(7),),
    }
    assert len(found) == 6
    versions = {(one["x_Source"], one["x_BillingMonth"], one["x_FocusVersion"]) for one in found}
    assert versions >= {
        ("azure_billing.main", "2025-09", "1.0"),
        ("azure_billing.main", "2025-10", "1.2-preview"),
        ("aws_billing.cur2", "2025-10", None),
    }
    assert {one["ChargeDescription"] for one in found} == {None, "a line"}
    assert {one["ResourceId"] for one in found} == {None}
    assert not books.keep(*every).has_work

    # What is said not to be the one to sum is not, and its rival counts.
    books.keep(*every[:2], replace(every[2], in_focus=False))
    now = billed(books)
    assert now["aws_billing.cur2", "2025-09"] == Decimal("0.30000000000000004")
    assert "aws_focus_billing.export" not in {name for name, _ in now}
    # A configuration that knows nothing of it leaves it so, and one that takes it back does not.
    assert not look_at_views(every[:1]).has_work
    assert not look_at_views([every[1], every[0]]).has_work
    assert look_at_views(every).has_work


USAGE = {
    "bill__PayerAccountId": "123456789012",
    "lineItem__UsageEndDate": "2025-10-01T01:00:00Z",
    "lineItem__UsageType": "BoxUsage:m5.large",
    "lineItem__Operation": "RunInstances",
    "savingsPlan__SavingsPlanARN": PLAN,
}
COVERED = USAGE | {
    "lineItem__NetUnblendedCost": "0.9",
    "savingsPlan__SavingsPlanEffectiveCost": "0.6",
    "savingsPlan__NetSavingsPlanEffectiveCost": "0.5",
}


def lines(negated: str) -> list[dict[str, str]]:
    """Two hours that a savings plan covers, what negates them, and usage that it does not cover."""
    return [
        line("SavingsPlanCoveredUsage", "1", **COVERED),
        line("SavingsPlanCoveredUsage", "1", **COVERED),
        line("SavingsPlanNegation", "-2", **USAGE, lineItem__NetUnblendedCost=negated),
        line("Usage", "3", lineItem__NetUnblendedCost="2.7", pricing__publicOnDemandCost="4"),
        line("Usage", "0.25", lineItem__NetUnblendedCost=""),
    ]


def test_what_negations_leave_over_is_one_charge_until_a_newer_run(
    books: Books, source: Callable[..., Case]
) -> None:
    case = source(LinesWriter())
    settings = load(case, delivered_lines(lines("-1.75"), submitted_at=EARLY))

    plan = books.keep(settings)

    assert [table.name for table in plan.tables] == ["bill_focus_left_over"]
    found = books.charges()
    # Net costs where the report has them: 0.9 + 0.9 - 1.75 + 2.7 + 0.25.
    assert totals(found, "BilledCost", by=SOURCE_MONTH) == {
        ("aws_billing", "2025-10", "USD"): (Decimal(3),)
    }
    amounts = ("x_LineItemType", "ChargeCategory", "BilledCost", "EffectiveCost", "ListCost")
    assert sorted([one[name] for name in amounts] for one in found) == [
        ["SavingsPlanCoveredUsage", "Usage", 0, Decimal("0.5"), Decimal("0.9")],
        ["SavingsPlanCoveredUsage", "Usage", 0, Decimal("0.5"), Decimal("0.9")],
        ["SavingsPlanNegation", "Adjustment", Decimal("0.05"), 0, 0],
        ["Usage", "Usage", Decimal("0.25"), Decimal("0.25"), Decimal("0.25")],
        ["Usage", "Usage", Decimal("2.7"), Decimal("2.7"), 4],
    ]
    (rest,) = [one for one in found if one["ChargeCategory"] == "Adjustment"]
    assert rest["CommitmentDiscountId"] == PLAN
    assert f"{rest['BillingPeriodStart']:%Y-%m-%d}" == "2025-10-01"
    assert not books.keep(settings).has_work

    load(case, delivered_lines(lines("-1.8"), submitted_at=LATE))
    plan = books.keep(settings)

    assert [str(one) for table in plan.tables for one in table.periods] == ["2025-10"]
    assert plan.changed == ()
    # Nothing is in them alone: they are made again of the bill.
    execute(books.place, f"DROP TABLE {DATASET}.bill_focus_left_over")
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        for view in VIEWS:
            warehouse.views.drop_view(view)
            warehouse.views.drop_view(view)  # of nothing
    plan = books.keep(settings)
    assert (len(plan.tables), names(plan)) == (1, [*VIEWS])
    found = books.charges()
    assert totals(found, "BilledCost", by=SOURCE_MONTH) == {
        ("aws_billing", "2025-10", "USD"): (Decimal("2.95"),)
    }
    assert len(found) == 4


def test_a_bill_keeps_its_history_under_another_table_and_without_its_section(
    books: Books, source: Callable[..., Case]
) -> None:
    scope = "subscriptions/one"
    old = source(AzureWriter())
    first = old.write(september("1", "2", scope=scope))
    books.place.put(first.folder)
    load(old, october("4", scope=scope))
    for file in (first.manifest, *first.parts):
        books.place.remove(str(file.relative_to(first.folder)))
    renamed = source(old.writer, table_name="newer")
    load(renamed, october("8", scope=scope, submitted_at=LATEST))
    retired = source(LinesWriter(), "gone")
    aws = load(retired, delivered_lines([line("Usage", "16")], submitted_at=LATE))

    plan = books.keep(renamed.settings)

    assert [(one.key, one.is_configured) for one in plan.sources] == [
        ("azure_billing bill", False),
        ("azure_billing newer", True),
        ("aws_billing.gone bill_gone", False),
    ]
    assert billed(books) == {
        ("azure_billing", "2025-09"): 3,
        ("azure_billing", "2025-10"): 8,
        ("aws_billing.gone", "2025-10"): 16,
    }
    # Another configuration of the dataset comes to the same views.
    assert not books.keep(aws).has_work
    assert not look_at_views([aws, renamed.settings]).has_work


def test_what_others_have_made_under_these_names_stays(
    books: Books, source: Callable[..., Case]
) -> None:
    case = source(LinesWriter())
    settings = load(case, delivered_lines([line("Usage", "1")], submitted_at=LATE))
    execute(books.place, f"CREATE TABLE {DATASET}.bill_focus_left_over AS SELECT 1 AS own")
    with pytest.raises(LoadError, match="bill_focus_left_over is a table that cloudbill did not"):
        books.keep(settings)
    execute(books.place, f"DROP TABLE {DATASET}.bill_focus_left_over")
    execute(books.place, f"CREATE TABLE {DATASET}.focus AS SELECT 2 AS own")
    execute(books.place, f"CREATE VIEW {DATASET}.focus_1_4 AS SELECT 3 AS own")

    plan = books.keep(settings)

    assert (plan.foreign, names(plan)) == (("focus", "focus_1_4"), [])
    assert not books.keep(settings).has_work
    for name, own in (("focus", 2), ("focus_1_4", 3)):
        assert books.place.query("SELECT own FROM {table}", table=name) == [(own,)]


def execute(place: Place, statement: str) -> None:
    """Runs a statement of somebody else."""
    if isinstance(place, GcsAndBigQuery):
        place.client().query_and_wait(statement)
    else:
        place.query(statement.replace("{", "{{"))


@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
def test_one_source_can_switch_the_views_of_its_dataset_off(source: Callable[..., Case]) -> None:
    on = source(AzureWriter()).settings
    off = source(AwsWriter(), "quiet", focus="false").settings
    elsewhere = source(AwsWriter(), "elsewhere", dataset="other").settings
    assert datasets_of([on, elsewhere]) == ((on,), (elsewhere,))
    assert datasets_of([on, off, elsewhere]) == ((elsewhere,),)
