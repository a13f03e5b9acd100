"""Exact sums of costs by month, day, provider, service, sub-account, currency or tags; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from cloudbill.costs.amounts import add_amounts
from cloudbill.models import BillingPeriod
from cloudbill.providers.roles import CostRule

__all__ = ["CostCell", "CostCube", "CubeRequest", "Dimension", "add_known"]


class Dimension(StrEnum):
    """What sums are grouped by."""

    MONTH = "month"
    """The billing period as `YYYY-MM`."""
    DAY = "day"
    """The UTC day of the charge as `YYYY-MM-DD`, empty where a row has none."""
    PROVIDER = "provider"
    SERVICE = "service"
    SUB_ACCOUNT_ID = "sub_account_id"
    SUB_ACCOUNT_NAME = "sub_account_name"
    CURRENCY = "currency"


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeRequest:
    """What is to be summed: `measures` by their names, over `dimensions`.

    `since` leaves earlier months out. `with_tags` groups by the tags of the rows as well, which may
    be many: `most` keeps the groups whose first measure is farthest from zero.
    """

    dimensions: tuple[Dimension, ...]
    measures: Mapping[str, CostRule]
    since: BillingPeriod | None = None
    with_tags: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCell:
    """The rows of one group and the sums of its measures; None where no row has the amount."""

    key: tuple[str, ...]
    """In the order of the dimensions; empty text where a row has no value."""
    tags: tuple[str, ...] = ()
    """In the order of the tag columns."""
    rows: int
    amounts: tuple[Decimal | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCube:
    """The groups that a table holds, in the order of their keys; rows of no month are left out."""

    dimensions: tuple[Dimension, ...] = ()
    tag_columns: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    """Those that the table has the columns for, in the order of the amounts."""
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of every other measure, the columns that are not there or hold no exact amounts."""
    cells: tuple[CostCell, ...] = ()


def add_known(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The exact sum of the amounts that are known; None where neither is."""
    if one is None or other is None:
        return other if one is None else one
    return add_amounts(one, other)
