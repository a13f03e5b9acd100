"""Which of several deliveries of one bill counts, and months as spans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.costs.month_totals import spans_of
from cloudbill.focus.counting import Delivered, left_out_months, version_spans
from cloudbill.periods import BillingPeriod
from figures import tries

OCTOBER = BillingPeriod.parse("2025-10")
EARLY = datetime(2025, 11, 1, tzinfo=UTC)
LATE = EARLY + timedelta(days=2)
PERIODS = st.builds(
    BillingPeriod, year=st.integers(2024, 2026), month=st.integers(min_value=1, max_value=12)
)


def delivered(key: str, **options: Any) -> Delivered:
    """A month of a source; by default of a report of one account."""
    values: dict[str, Any] = {
        "cloud": "aws",
        "scope": "123456789012",
        "period": OCTOBER,
        "delivers_focus": False,
        "submitted_at": EARLY,
        "loaded_at": EARLY,
        "rows": 1,
    }
    return Delivered(key=key, **{**values, **options})


def left_out(*found: Delivered) -> dict[str, str]:
    """What counts instead of those that are left out."""
    return {one.key: one.counts for one in left_out_months(found)}


def test_focus_counts_before_a_report_however_new_that_is() -> None:
    report, focus = delivered("report", submitted_at=LATE), delivered("focus", delivers_focus=True)
    assert left_out(report, focus) == left_out(focus, report) == {"report": "focus"}


def test_of_two_alike_the_newest_run_counts_then_what_was_loaded_last_then_the_first() -> None:
    first = delivered("first", loaded_at=LATE)
    assert left_out(first, delivered("second", submitted_at=LATE)) == {"first": "second"}
    assert left_out(delivered("first"), delivered("second", loaded_at=LATE)) == {"first": "second"}
    assert left_out(delivered("first"), delivered("second")) == {"second": "first"}
    assert left_out(delivered("first", submitted_at=None), delivered("second")) == {
        "first": "second"
    }


def test_a_month_without_rows_has_no_charges_that_could_count() -> None:
    empty = delivered("empty", delivers_focus=True, submitted_at=LATE, rows=0)
    assert left_out(empty, delivered("report")) == {}
    # Of what was loaded by an early version, nobody knows how many rows it has.
    assert left_out(delivered("focus", delivers_focus=True, rows=None), delivered("report")) == {
        "report": "focus"
    }


def test_what_is_of_another_cloud_scope_or_month_or_of_no_known_scope_is_another_bill() -> None:
    others = [
        delivered("cloud", cloud="azure"),
        delivered("scope", scope="210987654321"),
        delivered("month", period=OCTOBER.next),
        delivered("unknown", scope=None),
        delivered("unknown too", scope=None),
    ]
    assert left_out(delivered("own"), *others) == {}


ANY = st.builds(
    lambda number, **options: delivered(f"source {number}", **options),
    st.integers(0, 5),
    scope=st.sampled_from(["one", "two", None]),
    period=st.sampled_from([OCTOBER, OCTOBER.next]),
    delivers_focus=st.booleans(),
    submitted_at=st.sampled_from([EARLY, LATE, None]),
    loaded_at=st.sampled_from([EARLY, LATE, None]),
    rows=st.sampled_from([0, 1, None]),
)


@tries(100)
@given(st.lists(ANY, unique_by=lambda one: (one.key, one.period), max_size=9))
def test_of_every_bill_exactly_one_delivery_counts(found: list[Delivered]) -> None:
    out = {(one.key, one.period): one.counts for one in left_out_months(found)}
    bills: dict[tuple[str, BillingPeriod], set[str]] = {}
    for one in found:
        if one.scope is not None and one.rows != 0:
            bills.setdefault((one.scope, one.period), set()).add(one.key)
    for (_, period), keys in bills.items():
        (counts,) = {key for key in keys if (key, period) not in out}
        assert {out[key, period] for key in keys - {counts}} <= {counts}
    assert out.keys() <= {(key, period) for (_, period), keys in bills.items() for key in keys}


@tries(100)
@given(st.lists(PERIODS, max_size=20))
def test_spans_are_these_months_and_no_others(periods: list[BillingPeriod]) -> None:
    spans = spans_of(periods)
    assert all(first < end for first, end in spans)
    # In order, and with something between them.
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    month, found = BillingPeriod(year=2024, month=1), set()
    while month.year < 2027:
        if any(first <= month.first_day < end for first, end in spans):
            found.add(month)
        month = month.next
    assert found == {*periods}


@tries(100)
@given(st.dictionaries(PERIODS, st.sampled_from(["1.0", "1.2"]), max_size=20))
def test_versions_are_those_of_their_months(versions: dict[BillingPeriod, str]) -> None:
    spans = version_spans(versions)
    found = {
        period: [version for first, end, version in spans if first <= period.first_day < end]
        for period in versions
    }
    assert found == {period: [version] for period, version in versions.items()}
    assert all(one[1:] != (other[0], other[2]) for one, other in pairwise(spans))


def test_months_in_a_row_are_one_span() -> None:
    months = [BillingPeriod.parse(month) for month in ("2025-12", "2026-01", "2025-09")]
    assert spans_of(months) == (
        (date(2025, 9, 1), date(2025, 10, 1)),
        (date(2025, 12, 1), date(2026, 2, 1)),
    )
