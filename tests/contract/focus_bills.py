"""Bills whose lines a test states in full, and the FOCUS views over them in each warehouse."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cloudbill.focus.columns import FocusColumn
from cloudbill.focus.keeping import FocusPlan, keep_views
from cloudbill.periods import BillingPeriod
from cloudbill.sample.aws.columns import aws_columns
from contract.deliveries import AwsWriter, AzureWriter, Charge, Delivery
from contract.places import DATASET, PROJECT, GcsAndBigQuery, Place

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from emulators.googlesql import GoogleSql

__all__ = ["Books", "LinesWriter", "VersionedAzureWriter", "delivered_lines", "line", "totals"]

_NET = {
    "lineItem/NetUnblendedCost": "OptionalBigDecimal",
    "savingsPlan/NetSavingsPlanEffectiveCost": "OptionalBigDecimal",
}
_TYPES = aws_columns(0) | _NET
Line = Mapping[str, str]


def line(kind: str, cost: str, **more: str) -> dict[str, str]:
    """A line of a report; `more` has cells by their headers, with `__` for the slash."""
    cells = {name.replace("__", "/"): text for name, text in more.items()}
    return {"lineItem/LineItemType": kind, "lineItem/UnblendedCost": cost} | cells


def delivered_lines(lines: Sequence[Line], month: str = "2025-10", **options: Any) -> Delivery:
    """A run that has these lines."""
    first = BillingPeriod.parse(month).first_day
    return LinesDelivery(
        period=month,
        charges=[Charge(day=first, cost=Decimal(0), note=str(at)) for at in range(len(lines))],
        lines=lines,
        **options,
    )


@dataclass(frozen=True, kw_only=True)
class LinesDelivery(Delivery):
    """A run whose charges are lines, by the numbers that are their notes."""

    lines: Sequence[Line] = ()


class LinesWriter(AwsWriter):
    """Legacy CUR as gzipped CSV, with the columns that its lines have."""

    def _row(self, delivery: Delivery, charge: Charge) -> dict[str, str]:
        assert isinstance(delivery, LinesDelivery)
        names = dict.fromkeys(name for one in delivery.lines for name in one)
        period = BillingPeriod.parse(delivery.period)
        own = delivery.lines[int(charge.note)] if charge.note else {}
        return (
            super()._row(delivery, charge)
            | {
                "bill/BillingPeriodEndDate": f"{period.next.first_day}T00:00:00Z",
                "lineItem/CurrencyCode": "USD",
            }
            | {name: own.get(name, "") for name in names}
        )

    def _manifest(self, *given: Any, **options: Any) -> dict[str, Any]:
        manifest = super()._manifest(*given, **options)
        for column in manifest["columns"]:
            column["type"] = _TYPES.get(f"{column['category']}/{column['name']}", column["type"])
        return manifest


class VersionedAzureWriter(AzureWriter):
    """FOCUS of Azure, whose manifests say which version it is."""

    version = "1.0"

    def _config(self, delivery: Delivery) -> dict[str, str]:
        return super()._config(delivery) | {"dataVersion": self.version}


@dataclass
class Books:
    """The bills of one dataset, and its views.

    What BigQuery keeps as a view is evaluated by Google's reference implementation over the rows of
    the emulated tables: the emulator itself takes twenty seconds for one query of it.
    """

    place: Place
    google_sql: GoogleSql | None
    columns: dict[str, tuple[FocusColumn, ...]] = field(default_factory=dict)
    """Those of each view, as it was made last."""

    def keep(self, *settings: SourceSettings) -> FocusPlan:
        """What `load` does after it loaded."""
        plan = keep_views(settings)
        self.columns |= {view.name: view.columns for view in plan.changed}
        return plan

    def charges(self, view: str = "focus") -> list[dict[str, Any]]:
        """The rows of a view."""
        names = [column.name for column in self.columns[view]]
        if isinstance(self.place, GcsAndBigQuery):
            rows = self._by_google(self.place, view)
        else:
            rows = self.place.query("SELECT * FROM {table}", table=view)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _by_google(self, place: GcsAndBigQuery, view: str) -> list[tuple[Any, ...]]:
        assert self.google_sql is not None
        client = place.client()
        query = client.get_table(f"{PROJECT}.{DATASET}.{view}").view_query
        kinds: dict[tuple[str, ...], dict[str, str]] = {}
        rows: dict[str, list[list[Any]]] = {}
        for item in client.list_tables(f"{PROJECT}.{DATASET}"):
            path = f"`{PROJECT}`.`{DATASET}`.`{item.table_id}`"
            if path not in query:
                continue
            query = query.replace(path, f"`{item.table_id}`")
            table = client.get_table(item.reference)
            kinds[item.table_id,] = {
                # So the emulator calls what a query casts to BIGNUMERIC.
                one.name: "BIGNUMERIC" if one.field_type == "NUMERIC" else one.field_type
                for one in table.schema
            }
            rows[item.table_id] = [
                [_sent(cell) for cell in row.values()] for row in client.list_rows(table)
            ]
        self.google_sql.know(kinds, rows)
        return self.google_sql.rows(query)


def _sent(cell: Any) -> Any:
    return json.dumps(cell) if isinstance(cell, (dict, list)) else cell


def totals(
    charges: Iterable[Mapping[str, Any]], *columns: str, by: Sequence[str] = ("x_Source",)
) -> dict[tuple[Any, ...], tuple[Decimal, ...]]:
    """The sums of some columns by source, month and currency, or by other columns."""
    found: dict[tuple[Any, ...], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * len(columns))
    for charge in charges:
        sums = found[tuple(charge[name] for name in by)]
        for at, name in enumerate(columns):
            sums[at] += charge[name]
    return {key: tuple(sums) for key, sums in found.items()}
