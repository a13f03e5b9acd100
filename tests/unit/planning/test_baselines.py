"""Which runs wait for a person: compared with the loaded run, and with each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from cloudbill.manifests import DiscoveredRun, Manifest, Part, StoredObject
from cloudbill.models import LoadRecord, Plan, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import Guards
from unit.builders import OCTOBER, SEPTEMBER, at, manifest, plan

NOW = at(31)


def snapshot(
    run_id: str,
    days: tuple[int, int],
    *,
    rows: int | None = None,
    at_day: int | None = None,
    scope: str | None = None,
    size: int | None = None,
    period: BillingPeriod = OCTOBER,
    **changes: object,
) -> DiscoveredRun:
    """A complete run of some days, submitted at the end of the last of them."""
    submitted_at = datetime.combine(
        date(period.year, period.month, at_day or days[1]), at(1, 23).timetz()
    )
    stored = None if size is None else StoredObject(path="p", size=size, modified_at=submitted_at)
    made = manifest(
        run_id,
        period=period,
        submitted_at=submitted_at,
        rows=rows,
        parts=[Part(path=f"{run_id}/part.parquet", size=size, stored=stored)],
    )
    made = replace(
        made,
        covers_from=date(period.year, period.month, days[0]),
        covers_to=date(period.year, period.month, days[1]),
        scope=scope,
        **changes,  # type: ignore[arg-type]
    )
    return DiscoveredRun(manifest=made)


def loaded(run: DiscoveredRun, rows: int | None = None) -> LoadRecord:
    """What the ledger has of a run."""
    made: Manifest = run.manifest
    return LoadRecord(
        period=made.period,
        run_id=made.run_id,
        submitted_at=made.submitted_at,
        covers_from=made.covers_from,
        covers_to=made.covers_to,
        loaded_at=made.submitted_at,
        rows=made.rows if rows is None else rows,
        scope=made.scope,
        digest=made.digest,
        parts_digest=made.parts_digest,
        size=made.size,
        file_format=made.file_format,
    )


def chosen(planned: Plan) -> list[str]:
    """The runs that are loaded."""
    return [load.manifest.run_id for load in planned.loads]


def held(planned: Plan) -> dict[str, str]:
    """What is said of the runs that are held."""
    return {skip.manifest.run_id: skip.detail for skip in planned.skips if skip.is_held}


class TestCandidatesAreComparedWithEachOther:
    def test_later_run_of_fewer_days_does_not_win_the_first_load(self) -> None:
        runs = [
            snapshot("full", (1, 31), rows=310),
            snapshot(
                "part", (1, 4), rows=40, at_day=31, submitted_at=at(31, 23) + timedelta(minutes=9)
            ),
        ]

        planned = plan(runs)

        assert chosen(planned) == ["full"]
        assert held(planned) == {
            "part": "held: it covers 2025-10-01 to 2025-10-04, "
            "run full covers 2025-10-01 to 2025-10-31"
        }

    def test_later_run_of_no_rows_does_not_win_the_first_load(self) -> None:
        runs = [snapshot("full", (1, 20), rows=310), snapshot("none", (1, 21), rows=0)]

        planned = plan(runs)

        assert chosen(planned) == ["full"]
        assert held(planned) == {"none": "held: it has 0 rows, run full has 310"}

    def test_run_between_two_snapshots_hides_nothing_of_the_older(self) -> None:
        ten, daily = snapshot("ten", (1, 10), rows=100), snapshot("daily", (1, 21), rows=210)
        demand = snapshot("demand", (1, 12), rows=120, at_day=22)

        planned = plan([ten, daily, demand], loaded(ten))

        assert chosen(planned) == ["daily"]
        assert list(held(planned)) == ["demand"]

    @pytest.mark.parametrize(
        ("rows", "expected"), [(55, ["next"]), (50, ["next"]), (49, ["full"]), (0, ["full"])]
    )
    def test_far_fewer_rows_are_held(self, rows: int, expected: list[str]) -> None:
        runs = [snapshot("full", (1, 20), rows=100), snapshot("next", (1, 21), rows=rows)]

        assert chosen(plan(runs)) == expected

    @pytest.mark.parametrize(("rows", "expected"), [(3, ["next"]), (0, ["few"])])
    def test_fewer_than_ten_rows_less_are_held_only_where_none_is_left(
        self, rows: int, expected: list[str]
    ) -> None:
        runs = [snapshot("few", (1, 2), rows=9), snapshot("next", (1, 3), rows=rows)]

        assert chosen(plan(runs)) == expected

    def test_run_that_failed_for_good_is_compared_with_nothing(self) -> None:
        broken = snapshot("broken", (1, 20), rows=1000)
        runs = [broken, snapshot("next", (1, 21), rows=10)]

        assert chosen(plan(runs)) == ["broken"]
        assert chosen(plan(runs, failed=[broken.manifest.identity])) == ["next"]

    def test_older_run_than_the_loaded_one_is_compared_with_nothing(self) -> None:
        old, now = snapshot("old", (1, 31), rows=999), snapshot("now", (1, 10), rows=5)
        old = replace(old, manifest=replace(old.manifest, submitted_at=at(9)))
        runs = [old, now, snapshot("next", (1, 11), rows=6)]

        assert chosen(plan(runs, loaded(now))) == ["next"]

    def test_unknown_days_and_rows_are_compared_by_bytes_and_counted_before_the_load(self) -> None:
        runs = [
            snapshot("large", (1, 31), size=1000, at_day=20, states_days=False),
            snapshot("small", (1, 31), size=499, at_day=21, states_days=False),
        ]

        (load,) = plan(runs).loads

        assert (load.manifest.run_id, [rival.run_id for rival in load.rivals]) == (
            "small",
            ["large"],
        )
        assert load.otherwise is not None
        assert load.otherwise.manifest.run_id == "large"

    def test_a_run_without_parts_is_compared_with_rows_of_any_format_that_are_counted(self) -> None:
        full = snapshot("full", (1, 31), size=1000, at_day=20, states_days=False)
        full = replace(full, manifest=replace(full.manifest, file_format="csv"))
        empty = snapshot("empty", (1, 31), size=0, at_day=21, states_days=False)
        empty = replace(empty, manifest=replace(empty.manifest, parts=()))

        (load,) = plan([full, empty]).loads

        assert (load.manifest.run_id, load.rivals) == ("empty", (full.manifest,))

    @pytest.mark.parametrize("of_day_one", [False, True], ids=["to date", "the whole month"])
    def test_ordinary_month_to_date_runs_are_never_held(self, *, of_day_one: bool) -> None:
        runs: list[DiscoveredRun] = []
        record: LoadRecord | None = None
        for day in range(1, 32):
            run = snapshot(f"r{day}", (1, 31 if of_day_one else day), rows=day * 7, at_day=day)
            runs.append(run)
            planned = plan(runs, *([record] if record else []), guards=Guards(now=at(day, 23)))
            assert (chosen(planned), held(planned)) == ([f"r{day}"], {})
            record = loaded(run)


class TestSlices:
    def weeks(self) -> list[DiscoveredRun]:
        return [
            snapshot("w1", (1, 7), rows=70),
            snapshot("w2", (8, 14), rows=70),
            snapshot("w3", (15, 21), rows=70),
        ]

    def test_weeks_are_held_even_where_nothing_is_loaded(self) -> None:
        planned = plan(self.weeks())

        assert chosen(planned) == []
        assert list(held(planned)) == ["w3", "w2", "w1"]
        assert held(planned)["w3"] == (
            "held: it covers 2025-10-15 to 2025-10-21, a slice of the month and not all of it so "
            "far; cloudbill needs exports of the month to date"
        )

    def test_week_after_the_loaded_one_is_held(self) -> None:
        first, second, _ = self.weeks()

        assert list(held(plan([first, second], loaded(first)))) == ["w2"]

    @pytest.mark.parametrize("frame", ["WeekToDate", "TheLastWeek", "weektodate"])
    def test_run_that_says_that_it_is_a_slice_is_held(self, frame: str) -> None:
        planned = plan([snapshot("week", (1, 7), rows=70, time_frame=frame)])

        assert chosen(planned) == []
        assert f"({frame})" in held(planned)["week"]

    def test_first_run_that_begins_later_is_no_slice(self) -> None:
        assert chosen(plan([snapshot("late", (11, 20)), snapshot("next", (11, 21))])) == ["next"]

    def test_accepted_slice_is_loaded(self) -> None:
        week = snapshot("week", (1, 7), rows=70, time_frame="WeekToDate")
        guards = Guards(accepted={OCTOBER: {week.manifest.identity}})

        assert chosen(plan([week], guards=guards)) == ["week"]


class TestScopes:
    def test_runs_of_another_scope_do_not_replace_the_month(self) -> None:
        runs = [
            snapshot("a1", (1, 10), rows=100, scope="a"),
            snapshot("b1", (1, 11), rows=100, scope="b"),
        ]

        planned = plan(runs, scopes={SEPTEMBER: "a"})

        assert chosen(planned) == ["a1"]
        assert held(planned) == {"b1": "held: it is of scope b, the loaded runs are of scope a"}

    def test_first_load_takes_the_scope_of_the_newest_month_that_has_one(self) -> None:
        runs = [
            snapshot("sep", (1, 30), scope="a", period=SEPTEMBER),
            snapshot("a", (1, 10), scope="a"),
            snapshot("b", (1, 11), scope="b"),
        ]

        assert chosen(plan(runs)) == ["a", "sep"]

    def test_two_scopes_in_every_month_are_both_named(self) -> None:
        planned = plan([snapshot("a", (1, 10), scope="a"), snapshot("b", (1, 11), scope="b")])

        assert chosen(planned) == []
        assert set(held(planned).values()) == {
            "held: the scopes a and b deliver this month; set 'scope', or accept one"
        }

    def test_later_month_of_another_scope_alone_is_held(self) -> None:
        planned = plan([snapshot("b", (1, 10), scope="b")], scopes={SEPTEMBER: "a"})

        assert list(held(planned)) == ["b"]

    def test_unknown_scope_equals_any(self) -> None:
        runs = [snapshot("a", (1, 10), scope="a"), snapshot("unknown", (1, 11))]

        assert chosen(plan(runs)) == ["unknown"]


class TestDeliveries:
    def test_other_content_under_the_loaded_id_is_another_delivery(self) -> None:
        first, second = snapshot("r", (1, 10), rows=100), snapshot("r", (1, 10), rows=101)

        assert chosen(plan([second], loaded(first))) == ["r"]
        assert chosen(plan([first], loaded(first))) == []

    def test_record_without_a_digest_differs_from_nothing(self) -> None:
        record = replace(loaded(snapshot("r", (1, 10), rows=100)), digest=None)

        assert chosen(plan([snapshot("r", (1, 10), rows=101)], record)) == []

    def test_changed_parts_under_an_unchanged_manifest_are_held(self) -> None:
        def unstated(size: int) -> DiscoveredRun:
            run = snapshot("r", (1, 31), size=size, states_days=False)
            parts = tuple(replace(part, size=None) for part in run.manifest.parts)
            return replace(run, manifest=replace(run.manifest, parts=parts))

        planned = plan([unstated(90)], loaded(unstated(100), rows=5))

        assert chosen(planned) == []
        assert "parts of the loaded run were changed" in held(planned)["r"]
        assert held(plan([unstated(100)], loaded(unstated(100), rows=5))) == {}

    def test_longer_part_is_held(self) -> None:
        run = snapshot("r", (1, 10), size=9278)
        part = replace(run.manifest.parts[0], size=9014)
        run = replace(run, manifest=replace(run.manifest, parts=(part,)), longer=(part,))

        assert held(plan([run])) == {
            "r": "held: part.parquet has 9,278 of 9,014 bytes: a part of another delivery"
        }


class TestTimes:
    def test_time_that_has_not_come_is_held_and_makes_no_honest_run_older(self) -> None:
        impossible = snapshot(
            "impossible", (1, 20), rows=10, submitted_at=at(31).replace(year=2099)
        )
        honest = snapshot("honest", (1, 21), rows=10)
        guards = Guards(now=NOW)

        planned = plan([impossible, honest], guards=guards)

        assert chosen(planned) == ["honest"]
        assert list(held(planned)) == ["impossible"]

    def test_record_with_such_a_time_counts_as_submitted_when_it_was_loaded(self) -> None:
        record = replace(
            loaded(snapshot("r", (1, 20), rows=10)),
            submitted_at=at(31).replace(year=2099),
            loaded_at=at(20, 23),
        )

        assert chosen(plan([snapshot("n", (1, 21), rows=10)], record, guards=Guards(now=NOW))) == [
            "n"
        ]

    def test_clock_of_this_machine_that_is_slow_holds_nothing(self) -> None:
        run = snapshot("r", (1, 20), rows=10, stored_at=at(20, 23))
        guards = Guards(now=at(20) - timedelta(days=9000))

        assert chosen(plan([run], guards=guards)) == ["r"]


class TestDismissed:
    def test_dismissed_run_is_neither_loaded_nor_held(self) -> None:
        week = snapshot("week", (1, 7), rows=70, time_frame="WeekToDate")
        planned = plan([week], guards=Guards(dismissed={OCTOBER: {week.manifest.identity}}))

        assert chosen(planned) == []
        assert [skip.reason for skip in planned.skips] == [SkipReason.DISMISSED]

    def test_other_delivery_under_a_dismissed_id_is_not_dismissed(self) -> None:
        first, second = snapshot("r", (1, 10), rows=10), snapshot("r", (1, 10), rows=11)
        guards = Guards(dismissed={OCTOBER: {first.manifest.identity}})

        assert chosen(plan([second], guards=guards)) == ["r"]
