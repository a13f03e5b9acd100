"""Amounts of money: exact decimals of one shape, wherever they come from."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

__all__ = ["add_amounts", "subtract_amounts", "to_amount"]

# BIGNUMERIC has 76.8 digits; Python's default context would round at 28.
_CONTEXT: Final = Context(prec=100)
_DIGITS: Final = 18
_SHOWN: Final = Decimal(1).scaleb(-_DIGITS)


def to_amount(value: Decimal | int | str) -> Decimal:
    """The same number with at least 18 digits behind the point, as DECIMAL(38,18) shows it."""
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_DIGITS:
        return number
    return number.quantize(_SHOWN, context=_CONTEXT)


def add_amounts(one: Decimal, other: Decimal) -> Decimal:
    """The exact sum; `+` would round it to 28 digits."""
    return _CONTEXT.add(one, other)


def subtract_amounts(one: Decimal, other: Decimal) -> Decimal:
    """The exact difference of two amounts, `one - other`."""
    return _CONTEXT.subtract(one, other)
