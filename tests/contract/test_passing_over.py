"""A run that will not do is passed over, and the next older one of its month is loaded."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from contract.conftest import AZURE_WAYS, LOOKING_WAYS, ONE_WAY, PLANNING_WAYS, in_ways
from contract.deliveries import Charge, Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case

WAYS = PLANNING_WAYS

EARLY, LATE, LATEST = at("2025-10-15 04:00"), at("2025-10-31 22:00"), at("2025-11-03 04:00")


def october(*costs: str, run_id: str, late: bool = False, **options: object) -> Delivery:
    """A run of October with one charge a day."""
    values: dict[str, object] = {"submitted_at": LATE if late else EARLY} | options
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *costs),
        run_id=run_id,
        **values,  # type: ignore[arg-type]
    )


def wide(rows: int, *, run_id: str, late: bool = False) -> Delivery:
    """A run whose manifest counts nothing, and whose bytes tell how many rows it may have."""
    first = at("2025-10-01 00:00").date()
    rows_of = [Charge(first, Decimal(1), note=str(UUID(int=7919**9 * n))) for n in range(rows)]
    return replace(october(run_id=run_id, late=late, stated_rows=None), charges=rows_of)


class TestFailures:
    """A good older run is not blocked by a newer one that always fails."""

    def test_the_older_run_is_loaded_and_the_failure_is_the_exit_code(self, case: Case) -> None:
        good = october("1", "2", "3", "4", run_id="good")
        bad = october("5", "6", "7", "8", run_id="bad", late=True, damaged=True)
        case.deliver(good, bad)

        outcome = case.load()

        assert outcome.exit_code == 5
        assert [failure.planned.manifest.run_id for failure in outcome.failures] == ["bad"]
        assert [result.planned.manifest.run_id for result in outcome.results] == ["good"]
        assert case.held() == list(good.charges)
        assert case.tracked() == [("2025-10", "good", 4, 2)]

    def test_the_next_load_tries_the_newer_run_first_again(self, case: Case) -> None:
        good = october("1", "2", "3", "4", run_id="good")
        bad = october("5", "6", "7", "8", run_id="bad", late=True, damaged=True)
        case.deliver(good, bad)
        case.load()

        again = case.load()

        assert (again.exit_code, again.results) == (5, ())
        assert case.held() == list(good.charges)
        mended = replace(bad, damaged=False)
        case.deliver(mended)
        assert case.load().exit_code == 0
        assert case.held() == list(mended.charges)

    def test_the_loaded_run_stays_where_nothing_else_is_newer(self, case: Case) -> None:
        good = october("1", "2", "3", "4", run_id="good")
        case.deliver(good)
        case.load()
        case.deliver(october("5", "6", "7", "8", run_id="bad", late=True, damaged=True))

        outcome = case.load()

        assert (outcome.exit_code, outcome.results) == (5, ())
        assert case.held() == list(good.charges)


class TestRowsThatNobodyStates:
    """Far fewer bytes than an older run: both are counted before the month is replaced."""

    WAYS = LOOKING_WAYS

    def test_a_first_load_takes_the_older_run_that_has_far_more_rows(self, case: Case) -> None:
        full, few = wide(600, run_id="full"), wide(20, run_id="few", late=True)
        case.deliver(full, few)

        outcome = case.load()

        assert outcome.exit_code == 6
        assert [skip.detail for skip in outcome.skips if skip.is_held] == [
            "held: it has 20 rows, run full has 600"
        ]
        assert [result.planned.manifest.run_id for result in outcome.results] == ["full"]
        assert len(case.held()) == 600

    def test_an_accepted_run_is_counted_no_more(self, case: Case) -> None:
        case.deliver(wide(600, run_id="full"), wide(20, run_id="few", late=True))
        case.load()

        assert case.accept("2025-10", "few").exit_code == 0

        assert len(case.held()) == 20

    def test_fewer_bytes_for_as_many_rows_are_no_reason(self, case: Case) -> None:
        full = wide(600, run_id="full")
        first = at("2025-10-01 00:00").date()
        terse = replace(
            wide(0, run_id="terse", late=True), charges=[Charge(first, Decimal(1))] * 600
        )
        case.deliver(full, terse)

        outcome = case.load()

        assert outcome.exit_code == 0
        assert case.held() == list(terse.charges)

    def test_an_older_run_that_cannot_be_read_is_compared_with_nothing(self, case: Case) -> None:
        broken = replace(wide(600, run_id="broken"), damaged=True)
        few = wide(20, run_id="few", late=True)
        if case.writer.absent_text is not None:
            pytest.skip("the footers of a damaged Parquet file tell its rows")
        case.deliver(broken, few)

        assert case.load().exit_code == 0

        assert len(case.held()) == 20


class TestCosts:
    """Rows that are there while their money is gone."""

    WAYS = AZURE_WAYS

    def loads_before_it_knows(self, case: Case) -> bool:
        """Whether BigQuery reads the files itself, so that costs are summed afterwards."""
        return case.place.name == "bigquery" and case.writer.absent_text is not None

    @in_ways((*AZURE_WAYS, ("aws", "bigquery")))
    def test_costs_that_collapse_are_held_or_are_an_alarm(self, case: Case) -> None:
        old = october("100", "200", "300", run_id="old")
        case.deliver(old)
        case.load()
        case.deliver(october("0", "0", "1", run_id="free", late=True))

        outcome = case.load()

        assert outcome.exit_code == 6
        if self.loads_before_it_knows(case):
            assert [result.alarm for result in outcome.results] == [
                "its costs fell: it bills 1.00 EUR, run old billed 600.00"
            ]
            return
        assert [skip.detail for skip in outcome.skips if skip.is_held] == [
            "held: it bills 1.00 EUR, the loaded run old bills 600.00"
        ]
        assert case.held() == list(old.charges)
        assert case.accept("2025-10").exit_code == 0
        assert [charge.cost for charge in case.held()] == [0, 0, 1]
        assert case.load().exit_code == 0

    @in_ways(LOOKING_WAYS)
    def test_a_bill_in_another_currency_is_loaded(self, case: Case) -> None:
        case.deliver(october("100", "200", run_id="old"))
        case.load()
        new = october("110", "220", run_id="new", late=True)
        new = replace(new, charges=[replace(charge, currency="USD") for charge in new.charges])
        case.deliver(new)

        assert case.load().exit_code == 0

        assert case.held() == list(new.charges)

    def test_a_first_load_takes_the_older_run_where_the_newer_one_bills_nothing(
        self, case: Case
    ) -> None:
        full = october("100", "200", run_id="full")
        case.deliver(full, october("0", "0", run_id="free", late=True))

        outcome = case.load()

        assert outcome.exit_code == 6
        if case.place.name == "bigquery":
            # No guard makes it count the rows first, so that it reads the files of both at once.
            (result,) = outcome.results
            assert result.alarm == "its costs fell: it bills 0.00 EUR, run full billed 300.00"
            return
        (held,) = (skip for skip in outcome.skips if skip.is_held)
        assert held.detail == "held: it bills 0.00 EUR, run full bills 300.00"
        assert case.held() == list(full.charges)

    # Of warehouses, the tests above.
    @in_ways(ONE_WAY)
    @pytest.mark.parametrize("before", [("0", "0"), ("0.5", "0.4"), ("-4", "-5")])
    def test_a_first_load_takes_a_run_for_nothing_where_nothing_was_billed(
        self, case: Case, before: tuple[str, ...]
    ) -> None:
        case.deliver(october(*before, run_id="old"), october("0", "0", run_id="free", late=True))

        outcome = case.load()

        assert (outcome.exit_code, [result.alarm for result in outcome.results]) == (0, [None])


class TestChangesOfCosts:
    """What the rule lets pass, which knows sums and neither providers nor files nor tables."""

    WAYS = ONE_WAY

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (("100", "200"), ("100", "200", "-900")),
            (("-100", "-5"), ("0", "0")),
            (("0.5", "0.5"), ("0", "0")),
            (("100", "200"), ("15", "15")),
        ],
        ids=[
            "a credit takes more than all",
            "credits go",
            "a trifle",
            "a tenth is left",
        ],
    )
    def test_ordinary_changes_are_loaded(
        self, case: Case, before: tuple[str, ...], after: tuple[str, ...]
    ) -> None:
        case.deliver(october(*before, run_id="old"))
        case.load()
        new = october(*after, run_id="new", late=True)
        case.deliver(new)

        outcome = case.load()

        assert (outcome.exit_code, [result.alarm for result in outcome.results]) == (0, [None])
        assert case.held() == list(new.charges)
