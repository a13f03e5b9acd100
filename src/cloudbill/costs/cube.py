"""Exact sums of costs by month, day, provider, service, currency, tags and so on; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from cloudbill.costs.amounts import add_amounts
from cloudbill.periods import BillingPeriod
from cloudbill.providers.roles import CostRule

__all__ = ["CostCell", "CostCube", "CubeRequest", "Dimension", "add_known"]


class Dimension(StrEnum):
    """A property by which sums are grouped."""

    MONTH = "month"
    """The billing period as `YYYY-MM`."""
    DAY = "day"
    """The UTC day of the charge as `YYYY-MM-DD`, empty if a row has none."""
    PROVIDER = "provider"
    SERVICE = "service"
    SUB_ACCOUNT_ID = "sub_account_id"
    SUB_ACCOUNT_NAME = "sub_account_name"
    CURRENCY = "currency"
    PURCHASE = "purchase"
    """`once` for a purchase that happens once, `recurring` for another one, otherwise empty.

    `half_unused` is a recurring purchase whose effective cost is that of what is unused of it, and
    so is no purchase.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeRequest:
    """What to sum: `measures` by name, grouped by `dimensions`.

    `since` leaves out earlier months. `with_tags` also groups by the tags of the rows, which may be
    many groups: `most` keeps those whose first measure is farthest from zero.
    """

    dimensions: tuple[Dimension, ...]
    measures: Mapping[str, CostRule]
    since: BillingPeriod | None = None
    with_tags: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCell:
    """The rows of one group and the sums of its measures; None if no row has the amount."""

    key: tuple[str, ...]
    """In the order of the dimensions; an empty text if a row has no value."""
    tags: tuple[str, ...] = ()
    """In the order of the tag columns."""
    rows: int
    amounts: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCube:
    """The groups in a table, in the order of their keys; rows without a month are left out."""

    dimensions: tuple[Dimension, ...] = ()
    tag_columns: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    """The measures that the table has columns for, in the order of the amounts."""
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For every other measure, its columns that are missing or not exact."""
    cells: tuple[CostCell, ...] = ()

    @property
    def rows_by_month(self) -> Mapping[BillingPeriod, int] | None:
        """The rows of each month; None where the groups are not by month."""
        if Dimension.MONTH not in self.dimensions:
            return None
        index = self.dimensions.index(Dimension.MONTH)
        rows: Counter[BillingPeriod] = Counter()
        for cell in self.cells:
            rows[BillingPeriod.parse(cell.key[index])] += cell.rows
        return rows


def add_known(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The exact sum of the known amounts; None if both are unknown."""
    if one is None or other is None:
        return other if one is None else one
    return add_amounts(one, other)
