"""What a month would become, in words and as JSON: what is unknown is said, and nothing guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from cloudbill.looking.replacement import (
    Month,
    Replacement,
    replacement_json,
    replacement_lines,
)
from unit.builders import OCTOBER


def month(run_id: str, rows: int | None = 10, **costs: str) -> Month:
    """A month without known days, that bills something."""
    amounts: Mapping[str, Decimal] = {name: Decimal(cost) for name, cost in costs.items()}
    return Month(run_id=run_id, rows=rows, days=None, costs=amounts)


FOUND = Replacement(
    source="azure_billing",
    period=OCTOBER,
    before=month("old", EUR="200", USD="5"),
    after=month("new", 15, EUR="150.5", GBP="2"),
)


def test_each_currency_has_its_own_line_and_one_that_was_nothing_has_no_percent() -> None:
    assert list(replacement_lines(FOUND))[1:] == [
        "  rows: 10 now, 15 then (+5, +50.0%)",
        "  days: unknown now, unknown then",
        "  billed cost: 200.00 EUR now, 150.50 EUR then (-49.50, -24.8%)",
        "  billed cost: 0.00 GBP now, 2.00 GBP then (+2.00)",
        "  billed cost: 5.00 USD now, 0.00 USD then (-5.00, -100.0%)",
    ]


def test_what_is_not_known_is_said_and_not_counted() -> None:
    after = replace(FOUND.after, rows=None, costs=None)
    found = replace(FOUND, after=after, unread="its files have 1.2 GB")

    assert list(replacement_lines(found))[1:] == [
        "  rows: 10 now, unknown then",
        "  days: unknown now, unknown then",
        "  billed cost: 200.00 EUR and 5.00 USD now, unknown then",
        "  What run new bills is not known yet: its files have 1.2 GB",
    ]
    said = replacement_json(found)
    assert said["difference"] == {"rows": None, "billed_cost": None}
    assert said["after"] == {
        "run_id": "new",
        "rows": None,
        "days": None,
        "billed_cost": None,
        "unread": "its files have 1.2 GB",
    }


def test_a_refund_that_is_smaller_is_more_and_not_less() -> None:
    found = replace(FOUND, before=month("old", EUR="-8"), after=month("new", EUR="-4"))

    assert "(+4.00, +50.0%)" in list(replacement_lines(found))[-1]
