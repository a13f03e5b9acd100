"""The plan, whatever order runs are listed in, arrive in, and are loaded in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord, PlannedLoad, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import Guards
from cloudbill.planning.pins import pin_to, standing_pins
from figures import tries
from property.strategies import PERIODS, listings
from unit.builders import plan, result

MODERATE = tries(100)


def accepting(runs: Iterable[DiscoveredRun]) -> Guards:
    """Guards that hold nothing, for every run was accepted."""
    accepted: dict[BillingPeriod, frozenset[str]] = {}
    for run in runs:
        manifest = run.manifest
        others = accepted.get(manifest.period, frozenset())
        accepted[manifest.period] = others | {manifest.run_id}
    return Guards(accepted=accepted)


def age(manifest: Manifest) -> tuple[object, str]:
    """What runs are compared by."""
    return manifest.submitted_at, manifest.run_id


def whole(run: DiscoveredRun) -> DiscoveredRun:
    """The run with all its parts there."""
    return replace(run, missing=())


def newest(runs: list[DiscoveredRun]) -> dict[BillingPeriod, str]:
    """The newest complete run of each month."""
    complete = [run.manifest for run in runs if run.is_complete]
    return {manifest.period: manifest.run_id for manifest in sorted(complete, key=age)}


def loaded_after(planned: PlannedLoad) -> LoadRecord:
    """What the ledger remembers once the load is finished."""
    return result(planned.manifest).to_record()


@st.composite
def records(draw: st.DrawFn, runs: list[DiscoveredRun]) -> list[LoadRecord]:
    """A ledger that some runs, or some that are gone, were loaded into before."""
    found: list[LoadRecord] = []
    for period in draw(st.lists(st.sampled_from(PERIODS), unique=True)):
        choices = [run.manifest for run in runs if run.manifest.period == period]
        if choices:
            record = result(draw(st.sampled_from(choices))).to_record()
            forgets = draw(st.booleans())
            found.append(replace(record, submitted_at=None) if forgets else record)
    return found


class TestAnyListing:
    """Any order of listing gives the same plan, which speaks of every run exactly once."""

    @MODERATE
    @given(data=st.data(), runs=listings(), force=st.booleans())
    def test_order_of_the_listing_does_not_matter(
        self, *, data: st.DataObject, runs: list[DiscoveredRun], force: bool
    ) -> None:
        loaded = data.draw(records(runs))
        shuffled = data.draw(st.permutations(runs))

        assert plan(shuffled, *loaded, force=force) == plan(runs, *loaded, force=force)

    @MODERATE
    @given(
        data=st.data(),
        runs=listings(),
        force=st.booleans(),
        periods=st.sets(st.sampled_from(PERIODS)),
    )
    def test_every_run_is_loaded_or_skipped_exactly_once(
        self,
        *,
        data: st.DataObject,
        runs: list[DiscoveredRun],
        force: bool,
        periods: set[BillingPeriod],
    ) -> None:
        planned = plan(runs, *data.draw(records(runs)), force=force, periods=periods)

        loads = [load.manifest.run_id for load in planned.loads]
        skips = [skip.manifest.run_id for skip in planned.skips]
        assert sorted(loads + skips) == sorted(run.manifest.run_id for run in runs)

    @MODERATE
    @given(data=st.data(), runs=listings(), force=st.booleans())
    def test_every_month_is_loaded_at_most_once_newest_first(
        self, *, data: st.DataObject, runs: list[DiscoveredRun], force: bool
    ) -> None:
        planned = plan(runs, *data.draw(records(runs)), force=force)

        periods = [load.period for load in planned.loads]
        assert periods == sorted(set(periods), reverse=True)

    @MODERATE
    @given(st.data(), listings(min_size=1))
    def test_copies_of_runs_change_nothing(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        copied = data.draw(st.lists(st.sampled_from(runs)))
        copies = [
            replace(run, manifest=replace(run.manifest, path=f"~copy/{run.manifest.path}"))
            for run in copied
        ]

        assert plan(data.draw(st.permutations([*runs, *copies]))) == plan(runs)

    @MODERATE
    @given(st.data(), listings())
    def test_only_complete_runs_are_loaded_and_only_incomplete_ones_waited_for(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        planned = plan(runs, *data.draw(records(runs)))

        complete = {run.manifest.run_id for run in runs if run.is_complete}
        waiting = {
            skip.manifest.run_id for skip in planned.skips if skip.reason is SkipReason.WAITING
        }
        assert {load.manifest.run_id for load in planned.loads} <= complete
        assert not waiting & complete

    @MODERATE
    @given(st.data(), listings())
    def test_month_that_is_not_asked_for_has_no_part_in_the_plan(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        period = data.draw(st.sampled_from(PERIODS))
        loaded = data.draw(records(runs))

        whole_plan, selected = plan(runs, *loaded), plan(runs, *loaded, periods=[period])

        assert selected.loads == tuple(load for load in whole_plan.loads if load.period == period)


class TestAnyArrival:
    """Newest complete run wins, whatever the order of arrival or processing.

    Parts arrive one by one, runs vanish, and the loader runs whenever it likes.
    """

    @MODERATE
    @given(data=st.data(), runs=listings(), force=st.booleans())
    def test_newest_complete_run_is_loaded_in_the_end_and_no_load_goes_back(
        self, *, data: st.DataObject, runs: list[DiscoveredRun], force: bool
    ) -> None:
        ledger: dict[BillingPeriod, LoadRecord] = {}
        ages: dict[BillingPeriod, tuple[object, str]] = {}
        there: dict[str, DiscoveredRun] = {}
        arrivals = [*runs, *(whole(run) for run in runs if data.draw(st.booleans()))]
        for arrival in data.draw(st.permutations(arrivals)):
            before = there.get(arrival.manifest.run_id, arrival)
            there[arrival.manifest.run_id] = min(before, arrival, key=lambda run: len(run.missing))
            if not data.draw(st.booleans(), label="the loader runs"):
                continue
            guards = accepting(there.values())
            for load in plan(there.values(), *ledger.values(), force=force, guards=guards).loads:
                assert ages.get(load.period, age(load.manifest)) <= age(load.manifest)
                ages[load.period] = age(load.manifest)
                ledger[load.period] = loaded_after(load)
        for load in plan(there.values(), *ledger.values(), guards=accepting(there.values())).loads:
            assert ages.get(load.period, age(load.manifest)) <= age(load.manifest)
            ledger[load.period] = loaded_after(load)

        assert {month: kept.run_id for month, kept in ledger.items()} == newest(
            list(there.values())
        )

    @MODERATE
    @given(st.data(), listings())
    def test_what_vanishes_from_the_store_does_not_bring_an_older_run_back(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        ledger: dict[BillingPeriod, LoadRecord] = {}
        for load in plan(runs).loads:
            ledger[load.period] = loaded_after(load)
        left = [run for run in runs if data.draw(st.booleans(), label="stays")]

        assert plan(left, *ledger.values()).loads == ()

    @MODERATE
    @given(listings())
    def test_second_run_of_the_loader_has_nothing_to_do(self, runs: list[DiscoveredRun]) -> None:
        ledger = [loaded_after(load) for load in plan(runs).loads]

        assert plan(runs, *ledger).loads == ()

    @MODERATE
    @given(st.data(), listings())
    def test_load_that_fails_is_planned_again(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        first = plan(runs)
        succeeded = [load for load in first.loads if data.draw(st.booleans(), label="succeeds")]

        second = plan(runs, *(loaded_after(load) for load in succeeded))

        assert second.loads == tuple(load for load in first.loads if load not in succeeded)


class TestAnyPin:
    """A month that was pinned holds its run, or what is newer than all that was there then."""

    @MODERATE
    @given(st.data(), listings(min_size=1))
    def test_no_order_of_arrival_takes_a_month_from_its_run_but_what_is_newer_than_all(
        self, data: st.DataObject, runs: list[DiscoveredRun]
    ) -> None:
        chosen = whole(data.draw(st.sampled_from(runs), label="chosen"))
        month = chosen.manifest.period
        others = [run for run in runs if run.manifest.run_id != chosen.manifest.run_id]
        there = [chosen, *(run for run in others if data.draw(st.booleans(), label="was there"))]
        loaded = data.draw(records(there))
        ledger = {record.period: record for record in loaded}
        held_then = [run for run in there if run.manifest.period == month]
        pins = {month: pin_to(chosen.manifest, held_then, Guards())}
        arriving = [whole(run) for run in others if data.draw(st.booleans(), label="arrives")]

        for arrival in (None, *data.draw(st.permutations(arriving))):
            if arrival is not None:
                same = arrival.manifest.run_id
                there = [arrival, *(run for run in there if run.manifest.run_id != same)]
            standing = standing_pins(pins, ledger, None)
            guards = accepting(there)
            for load in plan(there, *ledger.values(), guards=guards, pins=standing).loads:
                ledger[load.period] = loaded_after(load)

        newest_then = max(age(run.manifest) for run in held_then)
        after = [
            run
            for run in arriving
            if run.manifest.period == month and age(run.manifest) > newest_then
        ]
        expected = max(after or [chosen], key=lambda run: age(run.manifest))
        assert ledger[month].run_id == expected.manifest.run_id
        assert (month in standing_pins(pins, ledger, None)) == (not after)
