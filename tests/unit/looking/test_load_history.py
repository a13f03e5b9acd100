"""Every load of a month, and how its cost moved: as values, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.costs.amounts import add_amounts
from cloudbill.errors import ConfigError, LoadError
from cloudbill.looking.load_history import MonthHistory, SourceHistory, history_of
from cloudbill.looking.load_history_words import history_json, history_lines
from cloudbill.models import LoadRecord
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.text.failures import SourceFailure
from figures import tries
from unit.builders import OCTOBER, SEPTEMBER, at

CLOSED = datetime(2025, 11, 3, 4, tzinfo=UTC)
COSTS = st.dictionaries(
    st.sampled_from(["EUR", "USD", "JPY"]),
    st.decimals(-(10**9), 10**9, places=18),
    max_size=3,
)
NO_SOURCE = SourceFailure(source=None, error=ConfigError("no source"))


def settings() -> SourceSettings:
    """Some source."""
    given_keys = {"bucket": "exports", "export_name": "focus"}
    return read_source("azure_billing", PROVIDERS["azure"], [], given_keys)


def load(run_id: str = "a", *, rows: int | None = 7, **values: Any) -> LoadRecord:
    """A load of October; other words are costs by currency, or fields of the record."""
    costs = {name: values.pop(name) for name in list(values) if name.isupper()}
    record = LoadRecord(
        period=OCTOBER,
        run_id=run_id,
        submitted_at=at(20),
        loaded_at=at(21),
        rows=rows,
        totals={currency: {"BilledCost": Decimal(cost)} for currency, cost in costs.items()},
    )
    return replace(record, **values)


def october(*records: LoadRecord) -> MonthHistory:
    """The only month of some loads."""
    (month,) = history_of(records, "BilledCost")
    return month


def told(*records: LoadRecord, exact: bool = False) -> list[str]:
    """What people read of some loads."""
    months = history_of(records, "BilledCost")
    return list(history_lines(SourceHistory(settings=settings(), months=months), exact=exact))


class TestChanges:
    def test_a_load_is_compared_with_the_one_before_by_currency(self) -> None:
        first, second, third = october(
            load("a", EUR="1.10", USD="5"), load("b", EUR="1.25"), load("c", EUR="1", USD="2")
        ).loads
        assert first.changes is None
        assert second.changes == {"EUR": Decimal("0.15"), "USD": Decimal(-5)}
        assert third.changes == {"EUR": Decimal("-0.25"), "USD": Decimal(2)}

    @tries(100)
    @given(st.lists(COSTS, min_size=2, max_size=6))
    def test_changes_lead_from_the_first_cost_to_the_last_in_every_currency(
        self, costs: Sequence[dict[str, Decimal]]
    ) -> None:
        records = [
            load(str(index), rows=len(by_currency), **by_currency)
            for index, by_currency in enumerate(costs)
        ]
        loads = october(*records).loads
        for currency in ("EUR", "USD", "JPY"):
            moved = costs[0].get(currency, Decimal(0))
            for one in loads[1:]:
                moved = add_amounts(moved, (one.changes or {}).get(currency, Decimal(0)))
            assert moved == costs[-1].get(currency, Decimal(0))

    def test_where_a_total_is_not_recorded_no_change_is_claimed(self) -> None:
        loads = october(load("a"), load("b", EUR="1"), load("c", EUR="3")).loads
        assert [one.changes for one in loads] == [None, None, {"EUR": Decimal(2)}]
        assert loads[0].costs is None

    def test_the_same_run_with_the_same_rows_and_totals_is_a_repeat(self) -> None:
        loads = october(
            load("a", EUR="1.0"),
            load("a", EUR="1.00"),
            load("a", EUR="1", rows=8),
            load("a", EUR="2", rows=8),
            load("b", EUR="2", rows=8),
        ).loads
        assert [one.is_repeat for one in loads] == [False, True, False, False, False]

    def test_months_come_newest_first_each_with_its_own_loads(self) -> None:
        months = history_of(
            [load("a", EUR="1", period=SEPTEMBER), load("b", EUR="2")], "BilledCost"
        )
        assert [(month.period, [one.record.run_id for one in month.loads]) for month in months] == [
            (OCTOBER, ["b"]),
            (SEPTEMBER, ["a"]),
        ]


class TestClosing:
    """A month closes with the first load whose run was submitted after the month had ended."""

    @pytest.mark.parametrize(
        ("submitted_at", "closed"),
        [
            (datetime(2025, 10, 31, 23, 59, 59, tzinfo=UTC), []),
            (datetime(2025, 11, 1, tzinfo=UTC), ["a"]),
            (None, []),
        ],
    )
    def test_midnight_after_the_last_day_decides(
        self, submitted_at: datetime | None, closed: list[str]
    ) -> None:
        closing = october(load("a", EUR="1", submitted_at=submitted_at)).closing
        assert [closing.load.record.run_id for closing in [closing] if closing] == closed

    def test_later_loads_do_not_close_it_again(self) -> None:
        closing = october(
            load("a", EUR="1"),
            load("b", EUR="2", submitted_at=CLOSED),
            load("c", EUR="5.5", submitted_at=CLOSED),
        ).closing
        assert closing is not None
        assert closing.load.record.run_id == "b"
        assert closing.differences == {"EUR": Decimal("3.5")}

    @pytest.mark.parametrize(
        ("records", "sentence"),
        [
            (
                [load(USD="1204.11", submitted_at=CLOSED), load("b", USD="1209.80")],
                "2025-10 closed at 1,204.11 USD, now 1,209.80 USD, +5.69 USD",
            ),
            (
                [load(USD="3", submitted_at=CLOSED), load("b", USD="2.994")],
                "2025-10 closed at 3.00 USD, now 2.99 USD, -0.01 USD",
            ),
            ([load(USD="3", submitted_at=CLOSED)], "2025-10 closed at 3.00 USD"),
            (
                [load(USD="3", submitted_at=CLOSED), load("b", USD="3")],
                "2025-10 closed at 3.00 USD, the same now",
            ),
            (
                [load(EUR="10", USD="3", submitted_at=CLOSED), load("b", EUR="11", USD="3")],
                "2025-10 closed at 10.00 EUR, now 11.00 EUR, +1.00 EUR; at 3.00 USD, the same now",
            ),
            (
                [load(submitted_at=CLOSED), load("b", EUR="11")],
                "2025-10 closed, but its total was not recorded; now 11.00 EUR",
            ),
            (
                [load(EUR="11", submitted_at=CLOSED), load("b")],
                "2025-10 closed at 11.00 EUR; now total not recorded",
            ),
            ([load(submitted_at=CLOSED)], "2025-10 closed, but its total was not recorded"),
            ([load(rows=0, submitted_at=CLOSED)], "2025-10 closed at 0.00"),
        ],
    )
    def test_one_sentence_says_how_it_moved_since(
        self, records: list[LoadRecord], sentence: str
    ) -> None:
        text = " ".join(line.strip() for line in told(*records))
        assert text.endswith(sentence)

    def test_an_open_month_has_no_such_sentence(self) -> None:
        assert "closed" not in " ".join(told(load(EUR="1")))


class TestLines:
    def test_each_load_takes_a_line_with_its_change(self) -> None:
        assert told(
            load("0f6e1a52-1", EUR="1204.11"),
            load("1f6e1a52-1", EUR="1209.8", rows=1234),
            load("1f6e1a52-1", EUR="1209.8", rows=1234),
            load("2f6e1a52-1", EUR="1209.8", rows=1234),
        ) == [
            "azure_billing 2025-10",
            "  loaded (UTC)      submitted (UTC)   run        rows   billed cost  change",
            "  2025-10-21 01:00  2025-10-20 01:00  0f6e1a52      7  1,204.11 EUR",
            "  2025-10-21 01:00  2025-10-20 01:00  1f6e1a52  1,234  1,209.80 EUR   +5.69",
            "  2025-10-21 01:00  2025-10-20 01:00  1f6e1a52  1,234",
            "      the same run again, nothing changed",
            "  2025-10-21 01:00  2025-10-20 01:00  2f6e1a52  1,234  1,209.80 EUR    same",
        ]

    def test_what_an_older_tool_wrote_has_no_total(self) -> None:
        lines = told(
            load("a", submitted_at=None, loaded_at=None, rows=None), load("a"), load("b", EUR="1")
        )
        assert lines[2].split() == ["?", "?", "a", "?", "total", "not", "recorded"]
        assert lines[-1].split()[-3:] == ["1.00", "EUR", "?"]

    def test_a_repeat_without_totals_does_not_claim_that_nothing_changed(self) -> None:
        assert told(load("a"), load("a"))[-1].strip() == "the same run again, total not recorded"

    def test_a_currency_that_is_gone_costs_nothing_and_says_so(self) -> None:
        lines = told(load("a", EUR="1", USD="2"), load("b", EUR="1"))
        assert lines[-1].split() == ["0.00", "USD", "-2.00"]

    def test_a_month_that_stays_without_rows_can_be_told(self) -> None:
        assert told(load("a", rows=0), load("b", rows=0))[-1].split()[-2:] == ["0.00", "same"]

    def test_amounts_of_eighteen_digits_fit_eighty_columns_whole(self) -> None:
        lines = told(
            load("a", EUR="12345678.123456789012345678"),
            load("b", EUR="2.000000000000000001", submitted_at=CLOSED),
            load("c", EUR="12345678.123456789012345678"),
            exact=True,
        )
        assert max(map(len, lines)) <= 80
        words = " ".join(lines).split()
        assert words.count("12,345,678.123456789012345678") == 3
        assert "-12,345,676.123456789012345677" in words

    def test_it_is_said_if_a_change_is_not_that_of_the_rounded_amounts(self) -> None:
        off = (load("a", EUR="10.004"), load("b", EUR="10.006"))
        *_, moved, said = told(*off)
        assert moved.split()[-3:] == ["10.01", "EUR", "+<0.01"]
        assert said == "  rounded, so the amounts do not add up; --exact has every digit"
        for lines in (told(*off, exact=True), told(load("a", EUR="1.01"), load("b", EUR="2.02"))):
            assert "rounded" not in "".join(lines)

    def test_a_source_without_loads_says_so(self) -> None:
        assert told() == ["azure_billing - no load is recorded"]
        asked = SourceHistory(settings=settings(), asked=frozenset({OCTOBER, SEPTEMBER}))
        assert list(history_lines(asked)) == [
            "azure_billing - no load of 2025-09 or 2025-10 is recorded"
        ]

    def test_of_what_could_not_be_read_nothing_is_claimed(self) -> None:
        failed = SourceHistory(settings=settings(), error=LoadError("locked"))
        assert list(history_lines(failed)) == []
        assert failed.exit_code == 5

    def test_names_cannot_command_the_terminal(self) -> None:
        assert "\x1b" not in "".join(told(load("\x1b[2J", EUR="1")))


class TestDocument:
    def test_it_has_every_load_and_what_closed_the_month(self) -> None:
        months = history_of(
            [load("a", EUR="1.10", submitted_at=CLOSED), load("b", EUR="1.25")], "BilledCost"
        )
        source = SourceHistory(settings=settings(), months=months)
        assert json.loads(history_json([source])) == {
            "months": [
                {
                    "source": "azure_billing",
                    "period": "2025-10",
                    "loads": [
                        {
                            "run_id": "a",
                            "submitted_at": "2025-11-03T04:00:00+00:00",
                            "loaded_at": "2025-10-21T01:00:00+00:00",
                            "rows": 7,
                            "billed_cost": {"EUR": "1.10"},
                            "change": None,
                            "is_repeat": False,
                            "totals": {"EUR": {"BilledCost": "1.10"}},
                        },
                        {
                            "run_id": "b",
                            "submitted_at": "2025-10-20T01:00:00+00:00",
                            "loaded_at": "2025-10-21T01:00:00+00:00",
                            "rows": 7,
                            "billed_cost": {"EUR": "1.25"},
                            "change": {"EUR": "0.15"},
                            "is_repeat": False,
                            "totals": {"EUR": {"BilledCost": "1.25"}},
                        },
                    ],
                    "closed": {
                        "run_id": "a",
                        "loaded_at": "2025-10-21T01:00:00+00:00",
                        "billed_cost": {"EUR": "1.10"},
                        "billed_cost_now": {"EUR": "1.25"},
                        "difference": {"EUR": "0.15"},
                    },
                }
            ],
            "failures": [],
        }

    def test_what_ended_a_source_or_the_command_is_a_failure(self) -> None:
        failed = SourceHistory(settings=settings(), error=LoadError("locked"))
        document = json.loads(history_json([failed], [NO_SOURCE]))
        assert [entry["error"] for entry in document["failures"]] == ["ConfigError", "LoadError"]
