"""Which runs are held, and what a person may do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import ConfigError
from contract.deliveries import at
from contract.octobers import EARLY, LATE, LATEST, MANY, october

if TYPE_CHECKING:
    from contract.places import Case


class TestGuards:
    """A newer run that covers fewer days, or has far fewer rows, is held until it is accepted."""

    @pytest.mark.parametrize("parts", [0, 1], ids=["no part", "a part without rows"])
    def test_a_newer_run_without_rows_is_held_and_empties_the_month_once_accepted(
        self, case: Case, parts: int
    ) -> None:
        old = october("1", submitted_at=EARLY, run_id="old")
        case.deliver(old)
        case.load()
        case.deliver(october(parts=parts, run_id="empty"))
        outcome = case.load()
        assert outcome.exit_code == 6
        assert case.held() == list(old.charges)
        assert case.accept("2025-10").exit_code == 0
        assert case.held() == []
        again = case.load()
        assert (again.exit_code, again.results) == (0, ())

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
