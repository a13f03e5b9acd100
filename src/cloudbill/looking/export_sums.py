"""The bills that are exported, and what their months hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudbill.costs.month_totals import spans_of
from cloudbill.costs.sums import Charges, GroupSums, SumQuery
from cloudbill.errors import ConfigError
from cloudbill.focus.views import FAULTS, FOCUS, FOCUS_1_4
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.asking import RowsToCopy

if TYPE_CHECKING:
    import duckdb

    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = [
    "Bill",
    "BillReader",
    "BillSums",
    "MonthSums",
    "bill_of_table",
    "bill_of_view",
    "written_sums",
]

_BILLED: Final = "billed"
_SOURCE: Final = "x_Source"
_ROWS: Final = "cloudbill_rows"
"""What a table is called in its sums: its own name may be that of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A table or view that is exported, and the columns that tell month, currency and cost."""

    settings: SourceSettings
    name: str
    month: str
    currency: str
    billed: str
    is_view: bool
    sources: tuple[str, ...] = ()
    """Whose rows of a view are meant; all of them if none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSums:
    """The rows of a month and what they bill by currency; None where that is not exact."""

    rows: int
    billed: Mapping[str, Decimal] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillSums:
    """What some months hold; `known` are all months that there are."""

    months: Mapping[BillingPeriod, MonthSums] = field(default_factory=dict)
    known: frozenset[BillingPeriod] = frozenset()
    of_no_month: int = 0


def bill_of_table(settings: SourceSettings) -> Bill:
    """The table of a source."""
    provider = settings.provider
    return Bill(
        settings=settings,
        name=settings.table_name,
        month=provider.PERIOD_COLUMN,
        currency=provider.CURRENCY_COLUMN,
        billed=provider.BILLED_COLUMN,
        is_view=False,
    )


def bill_of_view(settings: SourceSettings, name: str, sources: tuple[str, ...]) -> Bill:
    """A view of the dataset of a source, or the rows of some sources in it.

    Raises:
        ConfigError: If it is none that can be exported.
    """
    # A filter by the time lets BigQuery read one month alone; the faults have only its text.
    start = "BillingPeriodStart"
    months = {FOCUS: start, FOCUS_1_4: start, FAULTS: "x_BillingMonth"}
    if name not in months:
        raise ConfigError(f"--view is one of {', '.join(months)}, not '{name}'")
    return Bill(
        settings=settings,
        name=name,
        month=months[name],
        currency="BillingCurrency",
        billed="BilledCost",
        is_view=True,
        sources=sources,
    )


class BillReader:
    """A table or view, as a warehouse has it."""

    def __init__(self, warehouse: Warehouse, bill: Bill) -> None:
        self.warehouse = warehouse
        self.bill = bill
        views = warehouse.views
        self._charges = Charges(
            dialect=views.dialect.sql,
            relation=views.dialect.sql.compose(
                "{table} AS {rows}", table=views.path(bill.name), rows=_ROWS
            ),
            kinds=views.kinds(bill.name),
        )

    def rows(self, period: BillingPeriod) -> RowsToCopy:
        """The rows of a month."""
        return RowsToCopy(
            name=self.bill.name,
            period=period,
            where=self._where([period]),
            partitioned_by=None if self.bill.is_view else self.bill.month,
        )

    def sums(self, periods: Collection[BillingPeriod]) -> BillSums:
        """The sums of some months, or of all.

        Those of a table are refused where the account is not shown all of its rows.

        Raises:
            LoadError: If they cannot be read.
        """
        if not self._charges.kinds:
            return BillSums()
        return self._sums_of_view(periods) if self.bill.is_view else self._sums_of_table(periods)

    def _sums_of_table(self, periods: Collection[BillingPeriod]) -> BillSums:
        bill = self.bill
        found = self.warehouse.table_months(bill.name, bill.month)
        months = [one for one in found.months if not periods or one in periods]
        known, of_no_month = frozenset(found.months), found.of_no_month
        if not months:
            return BillSums(known=known, of_no_month=of_no_month)
        totals = self.warehouse.month_totals(bill.name, months)
        key = bill.billed.lower()
        sums = {}
        for period, rows in totals.rows.items():
            by_currency = totals.months[period]
            is_summed = all(key in columns for columns in by_currency.values())
            billed = (
                {currency: columns[key] for currency, columns in by_currency.items()}
                if is_summed
                else None
            )
            sums[period] = MonthSums(rows=rows, billed=billed)
        return BillSums(months=sums, known=known, of_no_month=of_no_month)

    def _sums_of_view(self, periods: Collection[BillingPeriod]) -> BillSums:
        bill, charges, views = self.bill, self._charges, self.warehouse.views
        is_text = charges.kind(bill.month) is ColumnType.STRING
        month = charges.text(bill.month) if is_text else charges.month(bill.month)
        query = SumQuery(
            relation=charges.relation,
            columns={_BILLED: charges.value(bill.billed)},
            currency=charges.text(bill.currency),
            groups=(month,),
            where=self._where(periods),
        )
        rows = views.rows(query.statement(views.dialect.sql), what=f"Reading {bill.name}")
        by_month: dict[str, list[GroupSums]] = {}
        for group in query.read(rows):
            by_month.setdefault(group.groups[0], []).append(group)
        none = by_month.pop("", [])
        sums = {BillingPeriod.parse(month): _added(groups) for month, groups in by_month.items()}
        # What a filter leaves out is asked for only where it is to be named in an error.
        known = frozenset(sums)
        if not known >= frozenset(periods):
            known = self._sums_of_view(()).known
        return BillSums(months=sums, known=known, of_no_month=sum(one.rows for one in none))

    def _where(self, periods: Collection[BillingPeriod]) -> Fragment:
        """Whether a row is meant: of some months, or of any if none is named."""
        conditions = [self._of_months(periods)] if periods else []
        if self.bill.sources:
            conditions.append(self._is_one_of(_SOURCE, self.bill.sources))
        return Fragment(" AND ".join(map(str, conditions)) or "TRUE")

    def _of_months(self, periods: Collection[BillingPeriod]) -> Fragment:
        if self._charges.kind(self.bill.month) is ColumnType.STRING:
            return self._is_one_of(self.bill.month, map(str, periods))
        return self._charges.in_spans(self.bill.month, spans_of(periods))

    def _is_one_of(self, name: str, texts: Iterable[str]) -> Fragment:
        dialect = self.warehouse.views.dialect
        literals = [dialect.literal(text) for text in texts]
        return dialect.sql.compose("{name} IN ({literals})", name=name, literals=literals)


def _added(groups: Sequence[GroupSums], *, is_summed: bool = True) -> MonthSums:
    return MonthSums(
        rows=sum(group.rows for group in groups),
        billed={one.currency: one.totals[_BILLED] for one in groups} if is_summed else None,
    )


def written_sums(
    connection: duckdb.DuckDBPyConnection, relation: Fragment, bill: Bill, *, is_summed: bool
) -> MonthSums:
    """What the rows of a file hold, as DuckDB reads it; texts are read as amounts."""
    kinds = {bill.currency: ColumnType.STRING, bill.billed: ColumnType.DECIMAL}
    charges = Charges(dialect=DUCKDB, relation=relation, kinds=kinds)
    amount = DUCKDB.compose("CAST({name} AS DECIMAL(38,18))", name=bill.billed)
    query = SumQuery(
        relation=relation,
        columns={_BILLED: amount} if is_summed else {},
        currency=charges.text(bill.currency),
    )
    groups = query.read(connection.execute(query.statement(DUCKDB).text).fetchall())
    return _added(groups, is_summed=is_summed)
