"""What holds a run, which runs are no part of a month, and what is said of them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.doctor.double_deliveries import find_double_deliveries
from cloudbill.errors import ConfigError, Guard, NoManifestError, StaleError
from cloudbill.loading.events import NewlyHeld
from cloudbill.loading.outcome import Outcome
from cloudbill.looking.status import Pending, SourceStatus
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.periods import utc_now
from contract import ledgers
from contract.conftest import PLANNING_WAYS, READING_WAYS
from contract.deliveries import Delivery, at, charges
from contract.places import DiskAndDuckDB

if TYPE_CHECKING:
    from contract.places import Case

WAYS = PLANNING_WAYS
A, B = "subscriptions/aaaa", "subscriptions/bbbb"
NOW = at("2025-11-04 04:00")


def october(
    day: int, *costs: str, run_id: str, days: tuple[int, int] | None = None, **options: Any
) -> Delivery:
    """A run of October that was submitted on a day, and covers the month so far."""
    first, last = days or (1, day)
    values: dict[str, Any] = {
        "submitted_at": at(f"2025-10-{day:02d} 22:00"),
        "covers": (date(2025, 10, first), date(2025, 10, last)),
    }
    bill = charges("2025-10", *(costs or ("1", "2", "3")))
    return Delivery(period="2025-10", charges=bill, run_id=run_id, **(values | options))


def loaded(outcome: Outcome) -> list[str]:
    """The runs that were loaded."""
    return [result.planned.manifest.run_id for result in outcome.results]


def held(outcome: Outcome) -> dict[str, Guard | None]:
    """The runs that are held, and by which guard."""
    return {skip.manifest.run_id: skip.guard for skip in outcome.skips if skip.is_held}


def look(case: Case) -> SourceStatus:
    """The status of the source."""
    return read_status(case.settings, now=NOW)


def needs_days(case: Case) -> None:
    """Skips a test for a provider whose manifests do not say which days they cover."""
    if not case.writer.states_rows:
        pytest.skip("its manifests state neither days nor how long parts are")


class TestScopes:
    def test_two_sources_read_one_folder_each_the_runs_of_its_scope(self, case: Case) -> None:
        first = replace(case, keys={"scope": f"/{A.upper()}/"})
        second = replace(case, keys={"scope": B}, export="second")
        mine, theirs = october(20, "1", run_id="a", scope=A), october(21, "9", run_id="b", scope=B)
        case.deliver(mine, theirs)

        outcomes = [first.load(), second.load()]

        assert [loaded(outcome) for outcome in outcomes] == [["a"], ["b"]]
        assert [(outcome.exit_code, outcome.skips) for outcome in outcomes] == [(0, ())] * 2
        assert (first.held(), second.held()) == (list(mine.charges), list(theirs.charges))
        delivered = {outcome.settings.source: outcome.manifests for outcome in outcomes}
        assert find_double_deliveries(delivered) == []
        # What has the other's manifest is no data file without one.
        assert [one.load().exit_code for one in (first, second)] == [0, 0]

    def test_a_scope_that_no_run_has_is_an_error_that_names_those_there_are(
        self, case: Case
    ) -> None:
        case.deliver(october(20, run_id="a", scope=A), october(21, run_id="b", scope=B))

        outcome = replace(case, keys={"scope": "subscriptions/cccc"}).load()

        (reason,) = outcome.reasons
        assert (outcome.exit_code, type(reason.error)) == (3, NoManifestError)
        assert "of scope subscriptions/cccc" in str(reason.error)
        assert f"are of {A}, {B}" in str(reason.error)

    def test_a_loaded_table_does_not_hide_that_no_run_has_the_scope(self, case: Case) -> None:
        case.deliver(october(20, run_id="a", scope=A))
        case.load()

        assert replace(case, keys={"scope": B}).load().exit_code == 3
        assert replace(case, keys={"scope": A}).load().exit_code == 0

    def test_two_scopes_wait_until_one_is_accepted_and_then_the_other_is_held(
        self, case: Case
    ) -> None:
        case.deliver(october(20, run_id="a", scope=A), october(21, run_id="b", scope=B))
        first = case.load()
        assert (first.exit_code, loaded(first)) == (6, [])
        assert held(first) == {"a": Guard.SCOPE, "b": Guard.SCOPE}

        assert loaded(case.accept("2025-10", "a")) == ["a"]

        case.deliver(october(22, run_id="a2", scope=A))
        second = case.load()
        assert (second.exit_code, loaded(second)) == (0, ["a2"])
        case.deliver(october(23, run_id="b2", scope=B))
        third = case.load()
        assert (third.exit_code, held(third)) == (6, {"b2": Guard.SCOPE})
        # One `accept` moves the source.
        assert loaded(case.accept("2025-10", "b2")) == ["b2"]
        case.deliver(october(24, run_id="b3", scope=B))
        assert loaded(case.load()) == ["b3"]


class TestSlices:
    def test_weeks_are_held_and_one_is_loaded_by_accept_with_slice(self, case: Case) -> None:
        needs_days(case)
        weeks = [(1, 7), (8, 14), (15, 21)]
        case.deliver(*(october(week[1], run_id=f"to-{week[1]}", days=week) for week in weeks))

        outcome = case.load()

        assert (outcome.exit_code, loaded(outcome)) == (6, [])
        assert set(held(outcome).values()) == {Guard.SLICE}
        with pytest.raises(ConfigError, match="With --slice"):
            case.accept("2025-10")
        assert loaded(case.accept("2025-10", takes_slice=True)) == ["to-21"]
        assert case.load().exit_code == 0
        # Its user was told which days it lacks.
        assert look(case).months[0].uncovered == ()

    def test_a_run_that_calls_itself_a_week_is_held(self, case: Case) -> None:
        if case.writer.section != "azure_billing":
            pytest.skip("its exports have no such setting")
        case.deliver(october(7, run_id="week", time_frame="WeekToDate"))

        assert held(case.load()) == {"week": Guard.SLICE}

    def test_days_before_the_first_run_of_a_month_are_named(self, case: Case) -> None:
        needs_days(case)
        case.deliver(october(20, run_id="late", days=(11, 20)))

        assert case.load().exit_code == 0

        status = look(case)
        assert [len(month.uncovered) for month in status.months] == [10]
        assert status.reasons == ()
        assert "no run covers 2025-10-01 to 2025-10-10" in "\n".join(status_lines(status))
        document = json.loads(status_json([status]))
        days = document["sources"][0]["months"][0]["uncovered_days"]
        assert (days[0], days[-1], len(days)) == ("2025-10-01", "2025-10-10", 10)
        case.deliver(october(21, run_id="whole"))
        assert loaded(case.load()) == ["whole"]
        assert look(case).months[0].uncovered == ()


class TestDeliveries:
    def test_another_delivery_under_the_loaded_id_is_loaded(self, case: Case) -> None:
        needs_days(case)
        case.deliver(october(20, "1", "2", run_id="same"))
        case.load()
        again = october(20, "1", "2", "3", run_id="same")
        case.deliver(again)

        outcome = case.load()

        assert loaded(outcome) == ["same"]
        assert case.held() == list(again.charges)
        assert case.load().results == ()

    def test_changed_parts_under_the_loaded_manifest_are_held(self, case: Case) -> None:
        if case.writer.states_rows:
            pytest.skip("its manifests state how long parts are")
        old = october(20, "1", "2", run_id="same")
        case.deliver(old)
        case.load()
        written = case.write(october(20, "1", "2", "3", "4", run_id="same"))
        case.place.put(written.folder)

        outcome = case.load()

        assert (outcome.exit_code, held(outcome)) == (6, {"same": Guard.CHANGED_PARTS})
        assert case.held() == list(old.charges)

    def test_a_longer_part_waits_until_it_settles_and_is_held_then(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        needs_days(case)
        written = case.write(october(20, run_id="long"))
        written.parts[0].write_bytes(written.parts[0].read_bytes() + b"more")
        case.place.put(written.folder)
        waiting = case.load()
        assert (waiting.exit_code, [str(skip.reason) for skip in waiting.skips]) == (0, ["waiting"])
        assert "to settle" in waiting.skips[0].detail
        size = written.parts[0].stat().st_size
        said = f"; {written.parts[0].name} has {size:,} of {size - 4:,} bytes"
        assert waiting.skips[0].detail.endswith(said)

        monkeypatch.setattr("cloudbill.exports.discovery._SETTLE", timedelta())

        outcome = case.load()
        assert (outcome.exit_code, held(outcome)) == (6, {"long": Guard.LONGER_PART})

    def test_a_time_that_has_not_come_is_held_and_keeps_no_later_run_from_the_month(
        self, case: Case
    ) -> None:
        needs_days(case)
        case.deliver(october(20, run_id="never", submitted_at=at("2099-10-20 04:00")))
        first = case.load()
        assert (first.exit_code, held(first)) == (6, {"never": Guard.TIME})
        case.deliver(october(21, run_id="honest"))

        outcome = case.load()

        assert (loaded(outcome), held(outcome)) == (["honest"], {"never": Guard.TIME})

    def test_a_run_that_failed_for_good_holds_no_later_one(self, case: Case) -> None:
        case.deliver(october(10, "1", "2", run_id="good", days=(1, 10)))
        case.load()
        many = tuple("5" for _ in range(30))
        case.deliver(october(20, *many, run_id="bad", days=(1, 21), damaged=True))
        assert case.load().exit_code == 5
        assert case.load().exit_code == 5
        case.deliver(october(22, "1", "2", "3", run_id="next", days=(1, 20)))

        outcome = case.load()

        assert (outcome.exit_code, loaded(outcome)) == (0, ["next"])


class TestHeldAlike:
    def test_only_the_newest_is_named_and_the_document_has_all(self, case: Case) -> None:
        needs_days(case)
        case.deliver(october(20, run_id="whole"))
        case.load()
        case.deliver(*(october(day, run_id=f"n{day}", days=(1, 9)) for day in (21, 22, 23)))
        case.deliver(october(24, run_id="future", submitted_at=at("2099-10-20 04:00")))

        outcome = case.load()

        skips = {skip.manifest.run_id: skip for skip in outcome.skips if skip.is_held}
        assert [(name, skip.older_alike) for name, skip in skips.items() if not skip.is_alike] == [
            ("future", 0),
            ("n23", 2),
        ]
        status = look(case)
        assert [reason.run_id for reason in status.reasons] == ["future", "n23"]
        assert "; likewise 2 older runs." in str(status.reasons[1].error)
        text = "\n".join(status_lines(status))
        assert ("run n23," in text, "run n22," in text) == (True, False)
        (month,) = json.loads(status_json([status]))["sources"][0]["months"]
        assert [(run["run_id"], run["guard"]) for run in month["pending"]] == [
            ("future", "time"),
            ("n23", "days"),
            ("n22", "days"),
            ("n21", "days"),
        ]


class TestDismiss:
    def test_a_dismissed_run_is_no_alarm_and_can_be_taken_back(self, case: Case) -> None:
        old = october(20, *("1",) * 30, run_id="old")
        case.deliver(old)
        case.load()
        case.deliver(october(21, run_id="short"))
        assert case.load().exit_code == 6

        assert case.dismiss("2025-10", "short") == ["short"]

        assert (case.load().exit_code, look(case).reasons) == (0, ())
        assert case.held() == list(old.charges)
        with pytest.raises(ConfigError, match="Nothing to accept"):
            case.accept("2025-10")
        assert loaded(case.accept("2025-10", "short")) == ["short"]

    def test_a_later_run_is_compared_with_no_dismissed_one(self, case: Case) -> None:
        needs_days(case)
        case.deliver(october(20, run_id="old"))
        case.load()
        case.deliver(october(23, run_id="far", days=(2, 23)))
        assert held(case.load()) == {"far": Guard.DAYS}
        case.dismiss("2025-10")
        case.deliver(october(24, run_id="next", days=(1, 22)))

        assert loaded(case.load()) == ["next"]


class TestGone:
    def deliver(self, case: Case, delivery: Delivery) -> None:
        """A run of which the manifest is left, and no part."""
        written = case.write(delivery)
        for part in written.parts:
            part.unlink()
        for file in written.folder.rglob("*"):
            os.utime(file, (delivery.submitted_at.timestamp(),) * 2)
        case.place.put(written.folder)

    def test_it_is_an_alarm_where_nothing_is_loaded_until_it_is_dismissed(self, case: Case) -> None:
        if not isinstance(case.place, DiskAndDuckDB):
            pytest.skip("what is put there is new")
        self.deliver(case, october(20, run_id="gone"))
        outcome = case.load()
        assert (outcome.exit_code, [type(one.error) for one in outcome.reasons]) == (
            8,
            [StaleError],
        )
        status = look(case)
        assert [run.pending for run in status.months[0].pending] == [Pending.GONE]
        assert "gone: run gone," in "\n".join(status_lines(status))

        assert case.dismiss("2025-10") == ["gone"]

        assert case.load().exit_code == 0
        status = read_status(case.settings, now=NOW, max_age=timedelta(days=1000))
        assert (status.reasons, status.newest_delivery_at) == ((), None)

    def test_it_is_named_and_no_alarm_where_another_run_is_loaded(self, case: Case) -> None:
        if not isinstance(case.place, DiskAndDuckDB):
            pytest.skip("what is put there is new")
        case.deliver(october(20, run_id="old"))
        case.load()
        self.deliver(case, october(21, run_id="gone"))

        assert case.load().exit_code == 0

        status = look(case)
        assert status.reasons == ()
        assert [run.run_id for run in status.months[0].pending] == ["gone"]

    def test_parts_that_never_came_are_an_alarm_for_a_week_though_a_run_is_loaded(
        self, case: Case
    ) -> None:
        if not isinstance(case.place, DiskAndDuckDB):
            pytest.skip("what is put there is new")
        case.deliver(october(20, run_id="old"))
        case.load()
        now = utc_now()
        for days, code in ((2, 8), (9, 0)):
            self.deliver(
                case, october(20, run_id=f"gone-{days}", submitted_at=now - timedelta(days=days))
            )
            assert (days, case.load().exit_code) == (days, code)
            for manifest in Path(case.place.bucket).rglob(f"*gone-{days}*/*anifest.json"):
                manifest.unlink()
            for manifest in Path(case.place.bucket).rglob("*-Manifest.json"):
                if f"gone-{days}" in manifest.read_text():
                    manifest.unlink()


class TestUpgrade:
    WAYS = READING_WAYS

    def test_what_a_new_guard_holds_is_shown_once_before_anything_is_changed(
        self, case: Case
    ) -> None:
        case.deliver(october(20, run_id="a", scope=A))
        case.load()
        (load_id,) = ledgers.load_ids(case)
        ledgers.change_ledger(case, load_id, lambda ledger: ledger["cloudbill"].pop("guards"))
        case.deliver(october(21, run_id="b", scope=B))
        case.deliver(replace(october(22, run_id="september", days=(1, 2)), period="2025-09"))
        case.events.clear()

        assert case.load().exit_code == 6

        (shown,) = [event for event in case.events if isinstance(event, NewlyHeld)]
        assert [skip.manifest.run_id for skip in shown.skips] == ["b"]
        assert case.events.index(shown) == 1
        case.events.clear()
        assert case.load().exit_code == 6
        assert not [event for event in case.events if isinstance(event, NewlyHeld)]

    def test_it_is_shown_once_though_nothing_is_loaded(self, case: Case) -> None:
        case.deliver(october(20, run_id="a", scope=A))
        case.load()
        (load_id,) = ledgers.load_ids(case)
        ledgers.change_ledger(case, load_id, lambda ledger: ledger["cloudbill"].pop("guards"))
        case.deliver(october(21, run_id="b", scope=B))
        shown = []
        for _ in range(2):
            case.events.clear()
            assert case.load().exit_code == 6
            shown.append(sum(isinstance(event, NewlyHeld) for event in case.events))

        assert shown == [1, 0]
