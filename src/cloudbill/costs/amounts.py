"""Amounts of money: exact decimals in one form, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudbill.models import LoadRecord, Totals

__all__ = [
    "add_amounts",
    "add_each",
    "adds_up",
    "costs_of",
    "costs_to_text",
    "rests_to_text",
    "rounded_amount",
    "shown_amount",
    "shown_costs",
    "shown_rests",
    "subtract_amounts",
    "to_amount",
    "totals_to_text",
]

# BIGNUMERIC has 76.8 digits; Python's default context would round at 28.
_CONTEXT: Final = Context(prec=100)
_DIGITS: Final = 18
_SHOWN: Final = Decimal(1).scaleb(-_DIGITS)
_CENT: Final = Decimal("0.01")


def to_amount(value: Decimal | int | str) -> Decimal:
    """The same number with at least 18 digits after the point, like DECIMAL(38,18)."""
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DIGITS:
        return number
    return number.quantize(_SHOWN, context=_CONTEXT)


def add_amounts(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum; `+` would round it to 28 digits."""
    return _CONTEXT.add(one, other)


def add_each(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """The exact sum of each column; one that a side lacks is nothing there."""
    sums = dict(one)
    for column, amount in other.items():
        sums[column] = add_amounts(sums.get(column, Decimal(0)), amount)
    return sums


def subtract_amounts(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference of two amounts, `one - other`."""
    return _CONTEXT.subtract(one, other)


def shown_amount(amount: Decimal, *, exact: bool = False) -> str:
    """An amount for people: grouped by thousands, rounded to two decimals: `1,204.10`, `-0.13`.

    It is rounded half away from zero, in every currency alike. What is not zero is not shown as
    zero, but as `<0.01` or `-<0.01`. With `exact` it has every digit, of which zeros at the end are
    left out except for two after the point: `-0.125`.
    """
    if not exact:
        amount, whole_amount = rounded_amount(amount), amount
        if whole_amount and not amount:
            return "<0.01" if whole_amount > 0 else "-<0.01"
    # `normalize` would round to 28 digits, and zero must not have a sign.
    whole, _, fraction = f"{amount or Decimal(0):,f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(2, '0')}"


def rounded_amount(amount: Decimal) -> Decimal:
    """An amount with two decimals, rounded half away from zero."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP, context=_CONTEXT)


def adds_up(total: Decimal, *parts: Decimal) -> bool:
    """Whether the parts of a total add up to it as all of them are shown, rounded."""
    shown = Decimal(0)
    for part in parts:
        shown = _CONTEXT.add(shown, rounded_amount(part))
    return shown == rounded_amount(total)


def totals_to_text(totals: Totals) -> dict[str, dict[str, str]]:
    """Totals for a JSON document: exact text, by currency in order, then by cost column."""
    return {
        currency: {column: f"{value:f}" for column, value in columns.items()}
        for currency, columns in sorted(totals.items())
    }


def rests_to_text(rests: Totals) -> dict[str, dict[str, dict[str, str]]]:
    """What was rounded away, for a JSON document: the key `rounded_away`, if it was anything."""
    return {"rounded_away": totals_to_text(rests)} if rests else {}


def shown_rests(rests: Totals) -> str:
    """What was rounded away, for people: each column and currency with every digit."""
    return ", ".join(
        f"{column} {shown}"
        for currency, columns in sorted(rests.items())
        for column, rest in columns.items()
        for shown in shown_costs({currency: rest}, exact=True)
    )


def costs_of(record: LoadRecord, column: str) -> Mapping[str, Decimal] | None:
    """The total of one cost column of a loaded month, by currency in order.

    Column names are compared without case, as in a warehouse. None if no total was recorded, for
    example with `totals = false`; a month without rows has no currencies.
    """
    found = {
        currency: value
        for currency, columns in sorted(record.totals.items())
        for name, value in columns.items()
        if name.lower() == column.lower()
    }
    return found if found or record.rows == 0 else None


def shown_costs(costs: Mapping[str, Decimal] | None, *, exact: bool = False) -> list[str]:
    """A cost for people, one text for each currency: currencies are never added up."""
    if costs is None:
        return ["total not recorded"]
    return [
        f"{shown_amount(cost, exact=exact)} {currency or '(no currency)'}"
        for currency, cost in costs.items()
    ] or [shown_amount(Decimal(0))]


def costs_to_text(costs: Mapping[str, Decimal] | None) -> dict[str, str] | None:
    """Costs by currency for a JSON document: exact text; None if none were recorded."""
    return None if costs is None else {currency: f"{cost:f}" for currency, cost in costs.items()}
