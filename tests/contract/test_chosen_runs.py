"""Which run a month is loaded from, and which months and runs are left alone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import ConfigError, ManifestError
from contract.conftest import LOOKING_WAYS, PLANNING_WAYS
from contract.deliveries import Delivery, at, charges
from contract.octobers import EARLY, LATE, LATEST, MANY, october

if TYPE_CHECKING:
    from contract.places import Case

WAYS = PLANNING_WAYS


class TestNewestCompleteRunWins:
    """Per export and period, whatever the order of listing, arrival or processing."""

    WAYS = LOOKING_WAYS

    def test_a_cold_start_with_two_month_to_date_runs_loads_the_newer_one_only(
        self, case: Case
    ) -> None:
        old = october("1", "2", note="old", submitted_at=EARLY, run_id="b-old")
        new = october("1", "2", "3", note="new", submitted_at=LATE, run_id="a-new")
        case.deliver(old, new)
        outcome = case.load()
        assert outcome.exit_code == 0
        assert case.held() == list(new.charges)
        assert [(skip.manifest.run_id, skip.reason) for skip in outcome.skips] == [
            ("b-old", "superseded")
        ]

    def test_a_newer_run_replaces_the_month_and_leaves_the_others(self, case: Case) -> None:
        september = Delivery(
            period="2025-09", charges=charges("2025-09", "9.99"), submitted_at=EARLY
        )
        case.deliver(september, october("1", "2", submitted_at=EARLY))
        case.load()
        newer = october("10", "20", "30", note="newer")
        case.deliver(newer)
        case.load()
        assert case.held("2025-10") == list(newer.charges)
        assert case.held("2025-09") == list(september.charges)

    def test_an_older_run_that_arrives_late_changes_nothing(self, case: Case) -> None:
        loaded = october("1", "2", note="newer", submitted_at=LATE)
        case.deliver(loaded)
        case.load()
        case.deliver(october("7", note="older", submitted_at=EARLY, run_id="late"))
        outcome = case.load()
        assert case.held() == list(loaded.charges)
        reasons = {skip.manifest.run_id: str(skip.reason) for skip in outcome.skips}
        assert reasons == {loaded.run_id: "already_loaded", "late": "older_than_loaded"}


class TestIsolated:
    """A failure in one month or export does not stop the others."""

    def test_a_manifest_that_cannot_be_read_fails_alone(self, case: Case) -> None:
        case.deliver(october("1"))
        written = case.write(october("2", submitted_at=LATEST, run_id="unreadable"))
        written.manifest.write_text('{"runInfo": {"runId": 7}')
        case.place.put(written.folder)
        outcome = case.load()
        assert outcome.exit_code == ManifestError.exit_code
        assert len(outcome.results) == 1
        (failure,) = outcome.manifest_failures
        assert "unreadable" in failure.path

    def test_a_month_that_fails_does_not_stop_the_others(self, case: Case) -> None:
        september = Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        case.deliver(september, october("1", period_start=september.first_day))
        outcome = case.load()
        assert outcome.exit_code == 5
        assert [str(result.planned.period) for result in outcome.results] == ["2025-09"]
        assert case.held() == list(september.charges)

    def test_only_the_selected_month_is_loaded(self, case: Case) -> None:
        september = Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        case.deliver(september, october("1"))
        outcome = case.load("2025-09")
        assert case.held() == list(september.charges)
        assert [str(skip.reason) for skip in outcome.skips] == ["not_selected"]

    def test_a_dry_run_changes_nothing(self, case: Case) -> None:
        case.deliver(october("1", submitted_at=EARLY))
        case.load()
        before = case.tracked()
        case.deliver(october("2"))
        outcome = case.load(dry_run=True)
        assert [str(planned.period) for planned in outcome.planned] == ["2025-10"]
        assert [charge.cost for charge in case.held()] == [Decimal(1)]
        assert case.tracked() == before


class TestGuards:
    """A newer run that covers fewer days, or has far fewer rows, is held until it is accepted."""

    def test_a_newer_run_with_fewer_than_half_of_the_rows_is_held(self, case: Case) -> None:
        old = october(*MANY, *MANY, "5", submitted_at=EARLY, run_id="old")
        case.deliver(old)
        case.load()
        case.deliver(october(*MANY[:8], run_id="short"))
        outcome = case.load()
        assert outcome.exit_code == 6
        (held,) = [skip for skip in outcome.skips if skip.reason == "held"]
        assert "it has 8 rows, the loaded run old has 21" in held.detail
        assert case.held() == list(old.charges)

    def test_a_newer_run_with_half_of_the_rows_is_loaded(self, case: Case) -> None:
        case.deliver(october(*MANY, *MANY, submitted_at=EARLY))
        case.load()
        newer = october(*MANY)
        case.deliver(newer)
        assert case.load().exit_code == 0
        assert case.held() == list(newer.charges)

    def test_a_held_run_is_loaded_once_it_is_accepted_and_that_is_remembered(
        self, case: Case
    ) -> None:
        case.deliver(october(*MANY, "2", "3", submitted_at=EARLY, run_id="old"))
        case.load()
        short = october("1", note="short", run_id="short")
        case.deliver(short)
        assert case.load().exit_code == 6
        outcome = case.accept("2025-10", "short")
        assert [result.rows for result in outcome.results] == [1]
        assert case.held() == list(short.charges)
        again = case.load()
        assert (again.exit_code, again.results) == (0, ())
        # Should the older run be loaded over it by hand, the decision still stands.
        assert case.load(force=True).exit_code == 0

    def test_a_newer_run_that_covers_fewer_days_is_held(self, case: Case) -> None:
        if not case.writer.states_rows:
            pytest.skip("runs of this provider cover whole months")
        old = october("1", "2", submitted_at=EARLY, run_id="old")
        case.deliver(old)
        case.load()
        days = (at("2025-10-01 00:00").date(), at("2025-10-05 00:00").date())
        case.deliver(october("1", "2", "3", run_id="narrow", covers=days))
        outcome = case.load()
        assert outcome.exit_code == 6
        (held,) = [skip for skip in outcome.skips if skip.reason == "held"]
        assert "covers 2025-10-01 to 2025-10-05" in held.detail
        assert case.held() == list(old.charges)

    def test_a_held_run_does_not_keep_another_newer_one_from_the_month(self, case: Case) -> None:
        case.deliver(october(*MANY, "2", "3", submitted_at=EARLY, run_id="old"))
        case.load()
        case.deliver(october("4", submitted_at=LATE, run_id="short"))
        assert case.load().exit_code == 6
        whole = october(*MANY, "6", "7", submitted_at=LATEST, run_id="whole")
        case.deliver(whole)
        assert case.load().exit_code == 0
        assert case.held() == list(whole.charges)

    def test_a_run_that_turns_out_to_be_short_lets_the_next_newer_one_go_first(
        self, case: Case
    ) -> None:
        case.deliver(october(*MANY, "2", "3", submitted_at=EARLY, run_id="old"))
        case.load()
        whole = october(*MANY, "6", "7", submitted_at=LATE, run_id="whole")
        short = october("4", submitted_at=LATEST, run_id="short", stated_rows=None)
        case.deliver(whole, short)
        outcome = case.load()
        assert outcome.exit_code == 6
        assert case.held() == list(whole.charges)
        reasons = {skip.manifest.run_id: str(skip.reason) for skip in outcome.skips}
        assert reasons == {"old": "already_loaded", "short": "held"}

    def test_nothing_that_is_not_held_can_be_accepted(self, case: Case) -> None:
        case.deliver(october("1"))
        case.load()
        with pytest.raises(ConfigError, match="Nothing to accept"):
            case.accept("2025-10")
