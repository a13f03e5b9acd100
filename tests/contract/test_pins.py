"""A month stays with the run that a person chose, until a newer one comes or it is released."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudbill.accepting import choose_run, load_chosen
from cloudbill.errors import ConfigError, Guard, ReconciliationError, VerificationError
from cloudbill.ledger import Ledger
from cloudbill.ledger.rebuilding import rebuild_ledger, rebuilding_lines
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.models import SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection
from cloudbill.warehouses import open_warehouse
from contract import ledgers
from contract.conftest import LOOKING_WAYS, ONE_WAY, in_ways
from contract.test_ledger_order import take_away
from contract.test_several_months import backfill, one
from contract.test_which_run import held, loaded, look, october

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome
    from contract.places import Case

WAYS = LOOKING_WAYS
OCTOBER = BillingPeriod(year=2025, month=10)
OLD, NEW = october(10, "1", run_id="old"), october(20, "1", "2", run_id="new")
LATER = october(25, "1", "2", "3", run_id="later")
RUNS = {one.run_id: list(one.charges) for one in (OLD, NEW, LATER)}

in_one_way = in_ways(ONE_WAY)


def pin(case: Case, named: str | None, period: BillingPeriod = OCTOBER) -> Outcome:
    """Puts a run into a month and pins it, or releases the month."""
    chosen = None if named is None else choose_run(case.settings, period, named)
    selection = Selection(periods=frozenset({period}), pins={period: chosen})
    return load_chosen(case.settings, selection, case.events.append)


def pinned(case: Case) -> object:
    """What the JSON of the status says of the pin of the newest month."""
    return json.loads(status_json([look(case)]))["sources"][0]["months"][0].get("pinned")


def aside(outcome: Outcome) -> list[str]:
    """The runs that a pin sets aside."""
    return [skip.manifest.run_id for skip in outcome.skips if skip.reason is SkipReason.PINNED]


def test_an_older_run_is_put_back_and_stays_until_one_comes_that_is_newer_than_all(
    case: Case,
) -> None:
    case.deliver(OLD, NEW)
    assert loaded(case.load()) == ["new"]

    assert loaded(pin(case, "ol")) == ["old"]

    assert case.held() == RUNS["old"]
    again = case.load(force=True)
    assert (loaded(again), aside(again), again.exit_code) == (["old"], ["new"], 0)
    assert "--month 2025-10 --release`" in next(s for s in again.skips if aside(again)).detail
    assert pinned(case) == {
        "run_id": "old",
        "is_loaded": True,
        "is_in_store": True,
        "until_newer_than": "new",
    }
    assert "pinned: the month stays with this run, until" in "\n".join(status_lines(look(case)))

    case.deliver(LATER)
    assert loaded(case.load()) == ["later"]
    assert (case.held(), pinned(case)) == (RUNS["later"], None)
    assert loaded(case.load()) == []


def test_a_month_that_is_released_gets_the_newest_run_in_the_same_command(case: Case) -> None:
    case.deliver(OLD, NEW)
    assert loaded(pin(case, "old")) == ["old"]

    assert loaded(pin(case, None)) == ["new"]

    assert (case.held(), pinned(case)) == (RUNS["new"], None)
    assert (loaded(pin(case, None)), loaded(case.load())) == ([], [])


def test_a_pin_is_kept_by_every_load_and_what_was_dropped_comes_back_from_its_run(
    case: Case,
) -> None:
    case.deliver(OLD, NEW, one("2025-09", "5", run_id="other"))
    pin(case, "old")
    assert loaded(case.load()) == ["other"]
    ledgers.drop_table(case, case.table)

    assert sorted(loaded(case.load())) == ["old", "other"]

    assert case.held("2025-10") == RUNS["old"]
    assert loaded(case.load()) == []


@in_one_way
class TestOneWay:
    def test_a_process_that_is_killed_after_the_pin_or_after_the_load_leaves_it_to_the_next(
        self, case: Case
    ) -> None:
        case.deliver(OLD, NEW)
        case.load()
        with closing(open_warehouse(case.settings.warehouse)) as warehouse:
            ledger = Ledger(case.settings, warehouse)
            ledger.pin({OCTOBER: choose_run(case.settings, OCTOBER, "old")})
        case.load_unrecorded()

        assert loaded(case.load()) == ["old"]
        assert loaded(pin(case, "old")) == []
        assert (case.held(), aside(case.load())) == (RUNS["old"], ["new"])

    def test_what_names_no_complete_run_is_refused_with_what_there_is(self, case: Case) -> None:
        lacking = case.write(october(21, "1", run_id="lacking"))
        case.place.put(lacking.folder)
        part = lacking.parts[0].relative_to(lacking.folder).as_posix()
        case.place.remove(part)
        case.deliver(OLD, NEW, october(19, "1", run_id="older"))
        messages = []
        for named in ("none", "lacking", "o"):
            with pytest.raises(ConfigError) as refused:
                choose_run(case.settings, OCTOBER, named)
            messages.append(str(refused.value))

        assert messages[0].startswith(
            "azure_billing has no run 'none' of 2025-10: complete are new (2025-10-20 22:00 UTC, "
            "2 rows); older (2025-10-19 22:00 UTC, 1 row); old ("
        )
        assert "parts there" in messages[1]
        assert f"it lacks {part}" in messages[1]
        assert messages[2] == "'o' is the beginning of several runs: older, old"
        assert choose_run(case.settings, OCTOBER, "old").run_id == "old"

    def test_a_run_of_several_months_is_pinned_in_the_given_month_alone(self, case: Case) -> None:
        case.deliver(backfill())
        case.deliver(
            one("2025-09", "7", run_id="nine", later=True),
            one("2025-10", "8", run_id="ten", later=True),
        )
        assert sorted(loaded(case.load())) == ["backfill", "nine", "ten"]

        assert loaded(pin(case, "backfill")) == ["backfill"]

        assert [month.pin and month.pin.run_id for month in look(case).months] == [
            *("backfill", None, None)
        ]
        assert [str(charge.cost.normalize()) for charge in case.held("2025-09")] == ["7"]

    def test_no_guard_stops_what_was_chosen_and_reconciliation_does(self, case: Case) -> None:
        case.deliver(OLD, NEW)
        case.load()
        case.deliver(october(22, run_id="days", days=(9, 10), time_frame="WeekToDate"))
        assert held(case.load()) == {"days": Guard.SLICE}

        assert loaded(pin(case, "days")) == ["days"]
        case.deliver(october(9, "1", run_id="wrong", stated_rows=9))
        failed = pin(case, "wrong")

        assert [type(one.error) for one in failed.failures] == [ReconciliationError]
        # A run that will never load leaves the month as it was, and as it was pinned.
        assert (loaded(case.load()), case.load().exit_code) == ([], 0)
        assert [month.pin and month.pin.run_id for month in look(case).months] == ["days"]

    def test_a_run_that_left_the_store_stays_in_its_month_and_the_status_says_so(
        self, case: Case
    ) -> None:
        old = case.write(OLD)
        case.place.put(old.folder)
        case.deliver(NEW)
        pin(case, "old")
        take_away(case, old)

        assert (loaded(case.load(force=True)), case.held()) == ([], RUNS["old"])
        assert ", which is in the store no more" in " ".join(status_lines(look(case)))

        ledgers.drop_table(case, case.table)
        lost = case.load()
        assert (loaded(lost), [type(one.error) for one in lost.reasons]) == (
            [],
            [VerificationError],
        )
        assert "--month 2025-10 --release`" in str(lost.reasons[0].error)
        assert loaded(pin(case, None)) == ["new"]

    def test_another_delivery_of_the_pinned_run_is_another_run(self, case: Case) -> None:
        case.deliver(OLD, NEW)
        pin(case, "old")

        case.deliver(replace(OLD, charges=NEW.charges))
        assert (loaded(case.load()), case.held()) == ([], RUNS["old"])
        assert "this delivery of the run" in next(
            skip.detail for skip in case.load().skips if skip.manifest.run_id == "old"
        )
        case.deliver(replace(OLD, charges=LATER.charges, submitted_at=LATER.submitted_at))
        assert (loaded(case.load()), case.held()) == (["old"], RUNS["later"])
        assert pinned(case) is None

    def test_a_held_run_that_came_after_the_pin_is_accepted_or_dismissed_as_ever(
        self, case: Case
    ) -> None:
        case.deliver(OLD, october(20, run_id="new"))
        pin(case, "old")
        case.deliver(
            october(24, run_id="one", days=(9, 24)), october(25, run_id="two", days=(9, 25))
        )

        assert set(held(case.load())) == {"one", "two"}
        assert case.dismiss("2025-10", "two") == ["two"]
        with pytest.raises(ConfigError, match="run new of 2025-10 is not held"):
            case.accept("2025-10", "new")
        assert loaded(case.accept("2025-10")) == ["one"]
        assert (pinned(case), loaded(case.load())) == (None, [])

    def test_a_rebuilt_ledger_keeps_a_pin_and_says_where_it_may_be_lost(self, case: Case) -> None:
        case.deliver(OLD, NEW)
        pin(case, "old")
        said: list[str] = []

        rebuild_ledger(case.settings, lambda one: said.extend(rebuilding_lines(one)))
        assert said[-1] == "  Keeps that 2025-10 is pinned to run old"
        assert (loaded(case.load()), case.held()) == ([], RUNS["old"])

        ledgers.drop_table(case, ledgers.STATES)
        rebuild_ledger(case.settings, lambda one: said.extend(rebuilding_lines(one)))
        assert "dismissed or pinned is lost" in said[-1]
        assert loaded(case.load()) == ["new"]
