"""Which run a month is loaded from, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudbill.manifests import DiscoveredRun
from cloudbill.models import LoadRecord, Plan, SkipReason
from cloudbill.periods import BillingPeriod
from unit.builders import OCTOBER, SEPTEMBER, manifest, plan, record, run


def chosen(planned: Plan) -> list[str]:
    """The runs that are loaded."""
    return [load.manifest.run_id for load in planned.loads]


def said(planned: Plan) -> dict[str, tuple[SkipReason, str]]:
    """What is said of the runs that are not."""
    return {skip.manifest.run_id: (skip.reason, skip.detail) for skip in planned.skips}


class TestNewestCompleteRunWins:
    """Per export and period, whatever the order of listing, arrival or processing.

    An older run never replaces a newer one.
    """

    def test_newest_run_is_loaded_into_an_empty_month(self) -> None:
        planned = plan([run("old", day=19), run("new", day=21), run("mid", day=20)])

        assert chosen(planned) == ["new"]
        assert said(planned) == {
            "old": (SkipReason.SUPERSEDED, "superseded by new"),
            "mid": (SkipReason.SUPERSEDED, "superseded by new"),
        }

    def test_two_deliveries_under_one_id_are_told_apart(self) -> None:
        old = replace(run("same", day=19), manifest=manifest("same", rows=310, path="a"))
        new = replace(old, manifest=manifest("same", rows=400, path="b"))

        (skip,) = plan([old, new]).skips

        assert skip.detail == (
            "superseded by the delivery of same that was written 2025-10-20 01:00 UTC: 400 rows, "
            f"2025-10-01 to 2025-10-20, digest {new.manifest.digest[:8]}; this delivery of the run "
            "was written 2025-10-20 01:00 UTC: 310 rows, 2025-10-01 to 2025-10-20, digest "
            f"{old.manifest.digest[:8]}"
        )
        assert plan([run("one"), run("two")]).skips[0].detail == "superseded by two"

    def test_newer_run_replaces_the_loaded_one_and_says_so(self) -> None:
        loaded = record("old", day=19)

        planned = plan([run("old", day=19), run("new", day=21)], loaded)

        assert chosen(planned) == ["new"]
        assert planned.loads[0].replaces is loaded
        assert said(planned) == {"old": (SkipReason.ALREADY_LOADED, "already loaded")}

    def test_loaded_run_is_not_loaded_again(self) -> None:
        planned = plan([run("a")], record("a"))

        assert chosen(planned) == []
        assert said(planned) == {"a": (SkipReason.ALREADY_LOADED, "already loaded")}

    def test_older_run_does_not_replace_a_newer_one_that_left_the_store(self) -> None:
        planned = plan([run("old", day=19)], record("gone", day=21))

        assert chosen(planned) == []
        assert said(planned) == {
            "old": (SkipReason.OLDER_THAN_LOADED, "older than the loaded run gone")
        }

    def test_older_run_that_arrives_late_is_skipped_beside_the_loaded_one(self) -> None:
        planned = plan([run("late", day=19), run("new", day=21)], record("new", day=21))

        assert chosen(planned) == []
        assert said(planned)["late"] == (
            SkipReason.OLDER_THAN_LOADED,
            "older than the loaded run new",
        )

    @pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")], ids=["in order", "reversed"])
    def test_run_id_decides_between_runs_of_one_moment(self, ids: tuple[str, str]) -> None:
        planned = plan([run(run_id, day=20) for run_id in ids])

        assert chosen(planned) == ["b"]
        assert said(planned) == {"a": (SkipReason.SUPERSEDED, "superseded by b")}

    def test_run_of_the_same_moment_with_a_lesser_id_does_not_replace_the_loaded_one(self) -> None:
        planned = plan([run("a", day=20), run("b", day=20)], record("b", day=20))

        assert chosen(planned) == []
        assert said(planned)["a"][0] is SkipReason.OLDER_THAN_LOADED

    def test_each_month_is_planned_by_itself_newest_first(self) -> None:
        august = BillingPeriod(year=2025, month=8)
        runs = [
            run("sep", period=SEPTEMBER),
            run("oct", period=OCTOBER, day=1),
            run("aug", period=august, day=25),
        ]

        planned = plan(runs, record("sep", period=SEPTEMBER))

        assert [load.period for load in planned.loads] == [OCTOBER, august]
        assert said(planned) == {"sep": (SkipReason.ALREADY_LOADED, "already loaded")}

    def test_nothing_found_is_an_empty_plan(self) -> None:
        assert plan([], record("a")) == Plan(loads=(), skips=())


class TestWaits:
    """A missing part makes the run "waiting 3/7 parts", not an error.

    The next older complete run that is newer than the loaded one may go first.
    """

    @pytest.mark.parametrize(
        ("missing", "detail"),
        [(1, "waiting, 6/7 parts there"), (4, "waiting, 3/7 parts there"), (7, "waiting, 0/7")],
        ids=["one missing", "four missing", "all missing"],
    )
    def test_run_waits_for_its_parts(self, missing: int, detail: str) -> None:
        planned = plan([run("a", parts=7, missing=missing)])

        assert chosen(planned) == []
        reason, words = said(planned)["a"]
        assert reason is SkipReason.WAITING
        assert words.startswith(detail)

    def test_older_complete_run_goes_first_while_a_newer_one_waits(self) -> None:
        runs = [run("old", day=19), run("mid", day=20), run("new", day=21, missing=1)]

        planned = plan(runs, record("old", day=19))

        assert chosen(planned) == ["mid"]
        assert said(planned) == {
            "new": (SkipReason.WAITING, "waiting, 1/2 parts there"),
            "old": (SkipReason.ALREADY_LOADED, "already loaded"),
        }

    def test_loaded_run_stays_while_a_newer_one_waits(self) -> None:
        planned = plan([run("old", day=19), run("new", day=21, missing=2)], record("old", day=19))

        assert chosen(planned) == []
        assert said(planned)["new"][0] is SkipReason.WAITING
        assert said(planned)["old"][0] is SkipReason.ALREADY_LOADED

    def test_incomplete_run_that_is_older_than_the_loaded_one_is_not_waited_for(self) -> None:
        planned = plan([run("old", day=19, missing=1)], record("new", day=21))

        assert said(planned)["old"][0] is SkipReason.OLDER_THAN_LOADED

    def test_incomplete_run_that_is_older_than_the_chosen_one_is_superseded(self) -> None:
        planned = plan([run("old", day=19, missing=1), run("new", day=21)])

        assert said(planned)["old"] == (SkipReason.SUPERSEDED, "superseded by new")

    def test_loaded_run_that_lost_a_part_is_loaded_all_the_same(self) -> None:
        planned = plan([run("a", missing=1)], record("a"))

        assert said(planned) == {"a": (SkipReason.ALREADY_LOADED, "already loaded")}

    def test_run_without_parts_is_complete(self) -> None:
        assert chosen(plan([run("empty", parts=0)])) == ["empty"]


class TestSelection:
    def test_only_the_months_that_are_asked_for_are_planned(self) -> None:
        runs = [run("oct", period=OCTOBER), run("sep", period=SEPTEMBER, missing=1)]

        planned = plan(runs, periods=[OCTOBER])

        assert chosen(planned) == ["oct"]
        assert said(planned) == {"sep": (SkipReason.NOT_SELECTED, "not selected")}

    def test_month_without_runs_may_be_asked_for(self) -> None:
        assert chosen(plan([run("oct")], periods=[SEPTEMBER])) == []

    def test_force_loads_the_loaded_run_again(self) -> None:
        loaded = record("a")

        planned = plan([run("a")], loaded, force=True)

        assert chosen(planned) == ["a"]
        assert planned.loads[0].replaces is loaded
        assert planned.skips == ()

    def test_force_loads_only_the_months_that_are_asked_for(self) -> None:
        runs = [run("oct", period=OCTOBER), run("sep", period=SEPTEMBER)]
        records = [record("oct", period=OCTOBER), record("sep", period=SEPTEMBER)]

        planned = plan(runs, *records, periods=[SEPTEMBER], force=True)

        assert chosen(planned) == ["sep"]

    @pytest.mark.parametrize(
        "runs",
        [
            [run("old", day=19)],
            [run("old", day=19), run("new", day=21, missing=1)],
        ],
        ids=["loaded run is gone", "loaded run lost a part"],
    )
    def test_force_does_not_go_back_to_an_older_run(self, runs: list[DiscoveredRun]) -> None:
        planned = plan(runs, record("new", day=21), force=True)

        assert chosen(planned) == []
        assert said(planned)["old"][0] is SkipReason.OLDER_THAN_LOADED


class TestCopies:
    """A copy tool, or a second manifest, may show one run twice: it is planned once."""

    def test_copy_of_a_run_is_no_second_run(self) -> None:
        runs = [run("a", path="copy/a/manifest.json"), run("a", path="a/manifest.json")]

        planned = plan(runs)

        assert [load.manifest.path for load in planned.loads] == ["a/manifest.json"]
        assert planned.skips == ()

    def test_whole_copy_is_taken_before_one_that_is_not(self) -> None:
        runs = [run("a", path="1/manifest.json", missing=1), run("a", path="2/manifest.json")]

        planned = plan(runs)

        assert [load.manifest.path for load in planned.loads] == ["2/manifest.json"]
        assert planned.skips == ()

    def test_copy_of_the_loaded_run_is_loaded_already(self) -> None:
        runs = [run("a", path="1/manifest.json"), run("a", path="2/manifest.json")]

        assert said(plan(runs, record("a"))) == {"a": (SkipReason.ALREADY_LOADED, "already loaded")}


class TestRecordsWithoutTheirTime:
    """Older shapes of the state kept the run id alone; its manifest knows the time."""

    def test_time_comes_from_the_manifest_of_the_loaded_run(self) -> None:
        runs = [run("old", day=19), run("mid", day=20), run("new", day=21)]

        planned = plan(runs, record("mid", day=None))

        assert chosen(planned) == ["new"]
        assert said(planned)["old"][0] is SkipReason.SUPERSEDED
        assert said(planned)["mid"][0] is SkipReason.ALREADY_LOADED

    def test_older_run_does_not_replace_it(self) -> None:
        planned = plan([run("old", day=19), run("new", day=21)], record("new", day=None))

        assert chosen(planned) == []
        assert said(planned)["old"][0] is SkipReason.OLDER_THAN_LOADED

    def test_older_run_does_not_replace_it_though_a_part_of_it_is_gone(self) -> None:
        runs = [run("old", day=19), run("new", day=21, missing=1)]

        assert chosen(plan(runs, record("new", day=None))) == []

    def test_newest_run_is_loaded_where_the_loaded_one_left_the_store(self) -> None:
        planned = plan([run("a", day=19), run("b", day=20)], record("gone", day=None))

        assert chosen(planned) == ["b"]

    def test_planned_load_keeps_the_record_as_the_ledger_gave_it(self) -> None:
        loaded = LoadRecord(period=OCTOBER, run_id="old", rows=12)

        planned = plan([run("old", day=19), run("new", day=21)], loaded)

        assert planned.loads[0].replaces is loaded
