"""When a destination is told what: once, when it changes, once a day, and when all has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cloudbill.alerts.alert import Alert, Deployment, Kind, age_of
from cloudbill.alerts.memory import Found, Memory, decide
from cloudbill.alerts.remembering import keep_memory, memory_file, read_memory
from cloudbill.settings.destinations import read_destinations
from unit.builders import OCTOBER

NOW = datetime(2025, 11, 3, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
HELD = Alert(
    kind=Kind.HELD,
    scope="azure_billing",
    period=OCTOBER,
    run_id="a",
    error="HeldError",
    exit_code=6,
    message="Run a is held",
    next="cloudbill status azure_billing",
)
STALE = replace(HELD, kind=Kind.STALE, scope="aws_billing", run_id=None, error="StaleError")
MOVED = replace(HELD, kind=Kind.MOVED, is_event=True, detail="EUR 1 2")
BOTH = frozenset({"azure_billing", "aws_billing"})
ALL = BOTH | {*map(age_of, BOTH)}


def found(*lasting: Alert, judged: frozenset[str] = ALL, events: tuple[Alert, ...] = ()) -> Found:
    """What a run of a command found."""
    return Found(lasting=lasting, judged=judged, events=events)


class TestTelling:
    def test_nothing_found_tells_nobody_anything(self) -> None:
        assert not decide(Memory(), found(), NOW).is_due

    def test_a_reason_is_told_once_and_again_a_day_later_while_it_lasts(self) -> None:
        first = decide(Memory(), found(HELD), NOW)
        assert first.alerts == (HELD,)
        assert first.new == {HELD.key}
        assert not decide(first.told, found(HELD), NOW + HOUR).is_due
        # A daily load that took an hour less than yesterday is a day later all the same.
        again = decide(first.told, found(HELD), NOW + 23 * HOUR)
        assert (again.alerts, again.new) == ((HELD,), frozenset())

    def test_other_words_for_a_reason_are_no_other_reason(self) -> None:
        first = decide(Memory(), found(STALE), NOW)
        older = replace(STALE, message="submitted 3 days ago")
        assert not decide(first.told, found(older), NOW + HOUR).is_due

    @pytest.mark.parametrize(
        "other",
        [
            replace(HELD, run_id="b"),
            replace(HELD, period=OCTOBER.next),
            replace(HELD, scope="aws_billing"),
            replace(HELD, kind=Kind.FAILED),
            replace(HELD, error="LoadError"),
            replace(HELD, detail="rows"),
        ],
    )
    def test_another_run_month_source_or_error_is_another_reason(self, other: Alert) -> None:
        first = decide(Memory(), found(HELD), NOW)
        assert decide(first.told, found(HELD, other), NOW + HOUR).new == {other.key}

    def test_when_one_of_two_ends_the_other_is_told_with_that(self) -> None:
        first = decide(Memory(), found(HELD, STALE), NOW)
        second = decide(first.told, found(STALE), NOW + HOUR)
        assert (second.alerts, second.ended, second.new) == ((STALE,), (HELD,), frozenset())

    def test_when_the_last_one_ends_all_is_well_once(self) -> None:
        first = decide(Memory(), found(HELD), NOW)
        well = decide(first.told, found(), NOW + HOUR)
        assert (well.alerts, well.ended) == ((), (HELD,))
        assert not decide(well.told, found(), NOW + 2 * HOUR).is_due

    def test_what_a_command_did_not_look_at_has_not_ended(self) -> None:
        first = decide(Memory(), found(HELD, STALE), NOW)
        azure = frozenset({"azure_billing"})
        only_azure = decide(first.told, found(judged=azure), NOW + HOUR)
        assert not only_azure.is_due
        # All is well once the other is, and then both are said to be over.
        well = decide(only_azure.told, found(), NOW + 2 * HOUR)
        assert {*well.ended} == {HELD, STALE}

    def test_an_age_is_over_by_the_rule_alone_that_found_it(self) -> None:
        by_option = replace(STALE, detail="--max-age 172800 s")
        for alert, other in ((STALE, "--max-age 9 s"), (by_option, ""), (by_option, "--max-age 9")):
            first = decide(Memory(), found(alert), NOW)
            judged = BOTH | {age_of("aws_billing", other)}
            without = decide(first.told, found(judged=judged), NOW + HOUR)
            assert not without.is_due
            assert not decide(without.told, found(alert), NOW + 2 * HOUR).is_due
            judged = BOTH | {age_of("aws_billing", alert.detail)}
            assert decide(without.told, found(judged=judged), NOW + 2 * HOUR).ended == (alert,)

    def test_what_nobody_judges_any_more_is_forgotten_after_a_week(self) -> None:
        first = decide(Memory(), found(STALE, HELD), NOW)
        assert not decide(first.told, found(judged=BOTH), NOW + 100 * HOUR).is_due
        well = decide(first.told, found(judged=BOTH), NOW + 200 * HOUR)
        assert (well.alerts, well.ended) == ((), (HELD,))

    def test_what_is_of_a_source_that_is_gone_has_ended(self) -> None:
        first = decide(Memory(), found(HELD), NOW)
        gone = Found(judged=frozenset(), known=frozenset({"aws_billing"}))
        assert decide(first.told, gone, NOW + HOUR).ended == (HELD,)

    def test_an_event_is_told_once_and_never_ends(self) -> None:
        first = decide(Memory(), found(events=(MOVED,)), NOW)
        assert first.alerts == (MOVED,)
        assert not decide(first.told, found(), NOW + HOUR).is_due

    def test_what_could_not_be_told_is_told_by_the_next_run_also_an_event(self) -> None:
        first = decide(Memory(), found(HELD, events=(MOVED,)), NOW)
        next_ = decide(first.untold, found(HELD), NOW + HOUR)
        assert next_.alerts == (MOVED, HELD)
        assert next_.new == {MOVED.key, HELD.key}
        assert not decide(next_.told, found(HELD), NOW + 2 * HOUR).is_due

    def test_without_a_memory_each_run_tells_and_none_says_that_all_is_well(self) -> None:
        assert decide(Memory(), found(HELD), NOW).is_due
        assert decide(Memory(), found(HELD), NOW + HOUR).is_due
        assert not decide(Memory(), found(), NOW + HOUR).is_due

    def test_a_clock_that_was_ahead_does_not_silence_a_reason(self) -> None:
        first = decide(Memory(), found(HELD), NOW + 1000 * HOUR)
        assert decide(first.told, found(HELD), NOW).is_due


class TestKeys:
    def test_a_key_is_the_same_everywhere_and_says_what_it_is_of(self) -> None:
        assert HELD.key == "azure_billing:2025-10:held:c68f24385818"
        assert STALE.key.startswith("aws_billing:2025-10:stale:")

    def test_the_same_reason_of_another_installation_has_another_key(self) -> None:
        deployments = [
            Deployment(),
            Deployment(warehouse="acme.billing", what="a"),
            Deployment(warehouse="acme.staging", what="a"),
            Deployment(warehouse="acme.billing", what="b"),
        ]
        keys = {replace(HELD, deployment=one).key for one in deployments}
        assert len(keys) == 4
        assert {key.rpartition(":")[0] for key in keys} == {"azure_billing:2025-10:held"}


class TestFile:
    def test_a_memory_is_read_as_it_was_kept_and_nobody_else_can_read_it(self) -> None:
        (destination,) = read_destinations("https://hooks.example.com/T0KEN")
        file = memory_file(destination)
        assert file is not None
        held = replace(HELD, deployment=Deployment(warehouse="acme.billing", what="a"))
        memory = Memory(told_at=NOW, lasting={held.key: held}, untold=(MOVED,))
        keep_memory(file, memory)
        assert read_memory(file) == memory
        assert file.stat().st_mode & 0o777 == 0o600
        assert "T0KEN" not in file.read_text() + str(file)
        keep_memory(file, Memory())
        assert [one.name for one in file.parent.iterdir()] == [file.name]

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"lasting": [{}]}', '{"lasting": 1}', "null"])
    def test_a_broken_memory_is_none(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "memory.json"
        file.write_text(text)
        file.chmod(0o600)
        assert read_memory(file) == Memory()

    def test_a_memory_that_others_could_write_is_not_believed(self, tmp_path: Path) -> None:
        file = tmp_path / "memory.json"
        keep_memory(file, Memory(told_at=NOW))
        file.chmod(0o666)
        assert read_memory(file) == Memory()

    def test_where_nothing_can_be_kept_nothing_fails(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        keep_memory(tmp_path / "file/memory.json", Memory(told_at=NOW))
        assert read_memory(tmp_path / "file/memory.json") == Memory()
        assert read_memory(None) == Memory()
