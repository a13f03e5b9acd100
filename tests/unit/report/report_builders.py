"""Builds what a report is made of, without a warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from cloudbill.costs.cube import CostCell, CostCube
from cloudbill.costs.sums import GroupSums
from cloudbill.focus.found import FoundFault
from cloudbill.models import LoadRecord, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS
from cloudbill.report.model import AMOUNT, BY_DAY, BY_MONTH, BY_TAGS, KINDS, SourceReport
from cloudbill.report.view_model import LeftOutMonths, ViewReport

__all__ = ["NOW", "Seen", "Spent", "at", "record", "records_of", "report_of", "view_of"]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BILLED = f"{AMOUNT}BilledCost"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Charges of one day that are alike; every kind of cost is the same."""

    day: str = "2025-10-03"
    cost: str = "1"
    service: str = "Compute"
    account: str = "acct"
    account_name: str = ""
    provider: str = "Microsoft"
    currency: str = "EUR"
    tags: str = ""
    rows: int = 1
    purchase: str = ""
    charged: str = ""
    """The day of the charge, if it is not `day`, which then only tells the month of the bill."""


def report_of(
    spent: Sequence[Spent],
    *,
    source: str = "azure_billing",
    loaded: Mapping[BillingPeriod, LoadRecord] | None = None,
    tracked: Sequence[LoadRecord] = (),
    error: str | None = None,
) -> SourceReport:
    """The report of a FOCUS source that spent this; each charge is a cell of its own."""
    held: dict[BillingPeriod, int] = {}
    for one in spent:
        period = BillingPeriod.parse(one.day[:7])
        held[period] = held.get(period, 0) + one.rows
    kinds = tuple(map(str, KINDS))
    newest = max((str(period) for period in held), default="")
    before = max((str(p) for p in held if str(p) < newest), default=newest)
    return SourceReport(
        source=source,
        cloud=source.partition("_")[0],
        title="Azure billing",
        table="billing.bill",
        warehouse="DuckDB file bill.duckdb",
        roles=PROVIDERS["azure"].ROLES,
        cost_columns=("BilledCost",),
        error=error,
        months=CostCube(
            dimensions=BY_MONTH,
            measures=(*kinds, BILLED),
            cells=tuple(_cell(one, (one.day[:7], *_names(one)), 5) for one in spent),
        ),
        days=CostCube(
            dimensions=BY_DAY,
            measures=kinds,
            cells=tuple(
                _cell(one, (one.day[:7], one.charged or one.day, one.purchase, *_names(one)), 4)
                for one in spent
                if one.day[:7] >= before
            ),
        ),
        tags=CostCube(
            dimensions=BY_TAGS,
            measures=kinds,
            tag_columns=("Tags",),
            cells=tuple(
                _cell(one, (one.day[:7], one.provider, one.currency), 4, one.tags) for one in spent
            ),
        ),
        loaded=loaded or {},
        tracked=tuple(tracked),
        rows_in_table=held,
    )


def _names(one: Spent) -> tuple[str, ...]:
    return one.provider, one.service, one.account, one.account_name, one.currency


def _cell(one: Spent, key: tuple[str, ...], amounts: int, *tags: str) -> CostCell:
    return CostCell(key=key, tags=tags, rows=one.rows, amounts=(Decimal(one.cost),) * amounts)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Charges of the view of one day that are alike; every kind of cost is the same."""

    day: str = "2025-10-03"
    cost: str = "1"
    category: str = "Usage"
    region: str = "here"
    status: str = ""
    tags: str = "tagged"
    source: str = "azure_billing"
    currency: str = "EUR"


def view_of(
    seen: Sequence[Seen],
    *,
    faults: Sequence[FoundFault] = (),
    left_out: Sequence[LeftOutMonths] = (),
) -> ViewReport:
    """What is read of a view with these charges; each is a group of its own."""
    newest = max(one.day[:7] for one in seen)

    def group(one: Seen, *groups: str) -> GroupSums:
        costs = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
        return GroupSums(
            currency=one.currency,
            groups=(one.source, one.day[:7], *groups),
            rows=1,
            amounts=dict.fromkeys(costs, Decimal(one.cost)),
        )

    return ViewReport(
        name="billing.focus",
        months=tuple(group(one, one.category, one.region, one.status, one.tags) for one in seen),
        days=tuple(group(one, one.day, one.category) for one in seen if one.day[:7] == newest),
        faults=tuple(faults),
        left_out=tuple(left_out),
    )


def record(
    month: str,
    totals: Totals,
    *,
    submitted_at: str | None = "2026-01-01 04:00",
    covers_to: date | None = None,
    rows: int | None = 1,
    scope: str | None = None,
) -> LoadRecord:
    """What the ledger remembers of a load."""
    period = BillingPeriod.parse(month)
    return LoadRecord(
        period=period,
        run_id="run",
        submitted_at=None if submitted_at is None else at(submitted_at),
        covers_to=covers_to or period.last_day,
        loaded_at=NOW,
        rows=rows,
        totals=totals,
        scope=scope,
    )


def records_of(spent: Sequence[Spent]) -> dict[BillingPeriod, LoadRecord]:
    """What the ledger remembers, where this is what was loaded."""
    sums: dict[str, Decimal] = {}
    rows: dict[str, int] = {}
    for one in spent:
        month = one.day[:7]
        sums[month] = sums.get(month, Decimal(0)) + Decimal(one.cost)
        rows[month] = rows.get(month, 0) + one.rows
    return {
        BillingPeriod.parse(month): record(month, {"EUR": {"BilledCost": total}}, rows=rows[month])
        for month, total in sums.items()
    }


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
