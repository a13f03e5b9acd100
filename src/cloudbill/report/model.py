"""The data of a report: the sums of each source, and what says how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloudbill.costs.cube import CostCell, CostCube, Dimension
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.providers.roles import CostKind, CostRule, Roles

__all__ = [
    "AMOUNT",
    "Amounts",
    "BY_DAY",
    "BY_MONTH",
    "BY_TAGS",
    "FailedLoad",
    "KINDS",
    "OpenPoint",
    "PendingRun",
    "PinnedMonth",
    "RunState",
    "SourceReport",
    "StoreReport",
    "kind_amounts",
    "kind_places",
    "measures_of",
]

Amounts = tuple[Decimal | None, ...]
"""One amount for each kind of cost, in the order of `KINDS`; None if it is unknown."""

KINDS: Final = tuple(CostKind)
AMOUNT: Final = "amount:"
"""The prefix of measures that sum a cost column as it is, for reconciliation."""

_GROUPS: Final = (
    Dimension.PROVIDER,
    Dimension.SERVICE,
    Dimension.SUB_ACCOUNT_ID,
    Dimension.SUB_ACCOUNT_NAME,
    Dimension.CURRENCY,
)
BY_MONTH: Final = (Dimension.MONTH, *_GROUPS)
BY_DAY: Final = (Dimension.MONTH, Dimension.DAY, Dimension.PURCHASE, *_GROUPS)
BY_TAGS: Final = (Dimension.MONTH, Dimension.PROVIDER, Dimension.CURRENCY)


class RunState(StrEnum):
    """Why a run of the store is not in the table; the values appear in the page."""

    NEW = "new"
    AGAIN = "again"
    """It is loaded, but the table no longer has its rows: the next load loads it again."""
    HELD = "held"
    WAITING = "waiting"
    GONE = "gone"
    FAILED = "failed"
    """The newest try to load it failed; the next load tries it once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRun:
    """A run that is not loaded, and why."""

    period: BillingPeriod
    run_id: str
    submitted_at: datetime
    state: RunState
    detail: str
    is_alike: bool = False
    """Whether the same guard holds a newer run of its month, so that it is no point of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedLoad:
    """The newest try of a month, which failed; `period` is None where all of the source failed."""

    period: BillingPeriod | None
    run_id: str | None
    at: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedMonth:
    """A month that stays with the run a person chose, until one comes that is newer than `newest`.

    `is_stored` is false where the store is known to have that run no more.
    """

    period: BillingPeriod
    run_id: str
    newest: str
    is_loaded: bool
    is_stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPoint:
    """What else a person should look at, as `cloudbill status --check` says it."""

    period: BillingPeriod | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """What is in the store of a source, or why it was not read."""

    error: str | None = None
    newest_submitted_at: datetime | None = None
    pending: tuple[PendingRun, ...] = ()
    unreadable: tuple[str, ...] = ()
    """The reason for each manifest that cannot be read."""
    uncovered: Mapping[BillingPeriod, tuple[date, ...]] = field(default_factory=dict)
    """The days of loaded months that no run covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """Everything that was read for one source; empty if `error` says why that failed.

    `table` and `warehouse` are empty where the settings cannot be read.
    """

    source: str
    cloud: str
    title: str
    table: str
    warehouse: str
    roles: Roles
    cost_columns: tuple[str, ...]
    error: str | None = None
    months: CostCube = field(default_factory=CostCube)
    days: CostCube = field(default_factory=CostCube)
    """The newest two months."""
    tags: CostCube = field(default_factory=CostCube)
    headers: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[BillingPeriod, LoadRecord] = field(default_factory=dict)
    tracked: tuple[LoadRecord, ...] = ()
    """Every recorded load, oldest first."""
    rows_in_table: Mapping[BillingPeriod, int] = field(default_factory=dict)
    rows_of_no_month: int = 0
    """Rows of the table that are in no amount of the report."""
    store: StoreReport = field(default_factory=StoreReport)
    failures: tuple[FailedLoad, ...] = ()
    pins: tuple[PinnedMonth, ...] = ()
    open_points: tuple[OpenPoint, ...] = ()
    newest_delivery_at: datetime | None = None
    """When the newest complete run was submitted, of those that are loaded or in the store."""
    max_age: timedelta | None = None
    """How old the newest delivery may be, if anybody said."""
    is_stale: bool = False
    """Whether it is older than that, or there is none."""


def measures_of(roles: Roles, cost_columns: tuple[str, ...] = ()) -> dict[str, CostRule]:
    """The kinds of cost by name, billed first, and the columns that are summed as they are."""
    kinds = {str(kind): roles.costs[kind] for kind in KINDS if kind in roles.costs}
    return kinds | {f"{AMOUNT}{name}": CostRule(otherwise=name) for name in cost_columns}


def kind_places(cube: CostCube) -> tuple[int | None, ...]:
    """The index of each kind's amount in the cells of a cube; None if it is missing."""
    places = {name: index for index, name in enumerate(cube.measures)}
    return tuple(places.get(str(kind)) for kind in KINDS)


def kind_amounts(cell: CostCell, places: tuple[int | None, ...]) -> Amounts:
    """The amounts of a cell by kind."""
    return tuple(None if place is None else cell.amounts[place] for place in places)
