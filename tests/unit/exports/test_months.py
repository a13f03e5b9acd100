"""A run over several months, as the run of each of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from cloudbill.errors import ManifestError
from cloudbill.exports.limits import MAX_MONTHS, require_manifest
from cloudbill.exports.months import runs_by_month, with_months
from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.periods import BillingPeriod
from unit.builders import at, manifest


def spanning(first: date, last: date, *, rows: int | None = 9) -> Manifest:
    """A run from one day to another, submitted on 22 October 2025."""
    described = manifest(period=BillingPeriod.of(first), rows=rows, submitted_at=at(22), parts=0)
    return with_months(replace(described, covers_from=first, covers_to=last))


def split(described: Manifest) -> dict[str, Manifest]:
    """The run of each month, by the month."""
    runs = runs_by_month(DiscoveredRun(manifest=described))
    return {str(run.manifest.period): run.manifest for run in runs}


class TestMonths:
    def test_each_month_has_its_own_days_and_knows_the_rows_of_all_together(self) -> None:
        found = split(spanning(date(2025, 7, 15), date(2025, 9, 10)))

        assert [
            (month, run.covers_from.day, run.covers_to.day) for month, run in found.items()
        ] == [("2025-07", 15, 31), ("2025-08", 1, 31), ("2025-09", 1, 10)]
        assert {str(run.spans[0]) for run in found.values()} == {"2025-07"}
        assert {(run.rows, run.run_rows, run.stated_rows) for run in found.values()} == {
            (None, 9, 9)
        }
        assert len({run.digest for run in found.values()}) == len(found)

    def test_a_run_of_one_month_is_left_as_it_is(self) -> None:
        described = spanning(date(2025, 10, 1), date(2025, 10, 31))

        (found,) = split(described).values()

        assert found is described
        assert (found.spans, found.stated_rows) == ((), 9)

    def test_days_after_the_run_was_submitted_make_no_month(self) -> None:
        found = split(spanning(date(2025, 9, 1), date(2025, 12, 31)))

        assert list(found) == ["2025-09", "2025-10"]

    def test_a_run_without_rows_has_none_in_any_month(self) -> None:
        found = split(spanning(date(2025, 9, 1), date(2025, 10, 21), rows=0))

        assert [run.rows for run in found.values()] == [0, 0]

    def test_a_billing_month_that_begins_in_the_middle_is_one_month(self) -> None:
        described = replace(
            manifest(period=BillingPeriod(year=2025, month=9)),
            covers_from=date(2025, 9, 19),
            covers_to=date(2025, 10, 18),
            time_frame="TheLastBillingMonth",
        )

        assert with_months(described) is described

    def test_more_than_36_months_are_refused(self) -> None:
        longest = spanning(date(2022, 11, 1), date(2025, 10, 22))
        require_manifest(longest, root="")
        assert len(longest.spans) == MAX_MONTHS

        with pytest.raises(ManifestError, match="more than 36 months"):
            require_manifest(spanning(date(1, 1, 1), date(9999, 12, 31)), root="")
