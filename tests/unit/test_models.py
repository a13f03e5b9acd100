"""Months, and the values that pass between the stages."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from cloudbill.manifests import DiscoveredRun, Part
from cloudbill.periods import BillingPeriod
from unit.builders import OCTOBER, at, manifest, result


class TestBillingPeriod:
    @pytest.mark.parametrize(
        ("text", "year", "month"),
        [("2025-10", 2025, 10), ("2024-02", 2024, 2), ("0001-01", 1, 1)],
    )
    def test_month_is_read_and_written(self, text: str, year: int, month: int) -> None:
        period = BillingPeriod.parse(text)

        assert period == BillingPeriod(year=year, month=month)
        assert str(period) == text

    @pytest.mark.parametrize(
        "text",
        [
            *("2025-1", "2025-13", "2025-00", "202510", "2025-10-01", " 2025-10", "2025-10\n"),
            *("٢٠٢٥-10", "", "0000-01", "october", "-2025-10"),
        ],
        ids=ascii,
    )
    def test_what_is_no_month_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            BillingPeriod.parse(text)

    def test_error_shows_how_a_month_is_written(self) -> None:
        with pytest.raises(ValueError, match=r"^'Oct 25' is not a month; write it as YYYY-MM, for"):
            BillingPeriod.parse("Oct 25")

    def test_month_of_a_day_or_a_time(self) -> None:
        assert BillingPeriod.of(date(2025, 10, 31)) == OCTOBER
        assert BillingPeriod.of(datetime(2025, 10, 31, 23, 59, tzinfo=UTC)) == OCTOBER

    @pytest.mark.parametrize(
        ("text", "first", "last", "after", "partition"),
        [
            ("2025-10", date(2025, 10, 1), date(2025, 10, 31), "2025-11", "202510"),
            ("2025-12", date(2025, 12, 1), date(2025, 12, 31), "2026-01", "202512"),
            ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "2024-03", "202402"),
            ("0999-02", date(999, 2, 1), date(999, 2, 28), "0999-03", "099902"),
        ],
        ids=["october", "december", "leap year", "three digits"],
    )
    def test_calendar(self, text: str, first: date, last: date, after: str, partition: str) -> None:
        period = BillingPeriod.parse(text)

        assert (period.first_day, period.last_day) == (first, last)
        assert str(period.next) == after
        assert period.partition_id == partition

    def test_months_are_in_the_order_of_time(self) -> None:
        texts = ["2024-12", "2025-02", "2025-10", "2026-01"]

        assert sorted(BillingPeriod.parse(text) for text in reversed(texts)) == [
            BillingPeriod.parse(text) for text in texts
        ]

    def test_value_cannot_be_changed(self) -> None:
        with pytest.raises(FrozenInstanceError):
            OCTOBER.month = 11  # type: ignore[misc]


class TestRuns:
    def test_run_is_complete_if_no_part_is_missing(self) -> None:
        described = manifest()

        assert DiscoveredRun(manifest=described).is_complete
        assert not DiscoveredRun(manifest=described, missing=described.parts[:1]).is_complete

    def test_result_becomes_a_record(self) -> None:
        totals = {"EUR": {"BilledCost": Decimal("1.50")}}
        described = manifest("run", parts=[Part(path="a"), Part(path="b"), Part(path="c")])

        record = result(described, rows=9, totals=totals).to_record()

        assert (record.period, record.run_id, record.rows, record.parts) == (OCTOBER, "run", 9, 3)
        assert (record.covers_from, record.covers_to) == (date(2025, 10, 1), date(2025, 10, 31))
        assert (record.submitted_at, record.loaded_at) == (at(20), at(22, 2))
        assert record.totals == totals

    def test_result_knows_how_long_it_took(self) -> None:
        assert result().seconds == 3600
