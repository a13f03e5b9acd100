"""What the destinations of `notify` are told, by whole commands over exports on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from contract.deliveries import AzureWriter
from end_to_end.conftest import configure, run_in
from end_to_end.situations import AZURE, BEFORE, MONTH, NOW, deliver
from listeners import TOKEN, Listener, listening, notify, only, reason, shown, told

if TYPE_CHECKING:
    from end_to_end.conftest import Run

WRITER = AzureWriter()
HOUR = timedelta(hours=1)
OLD = timedelta(days=10)


@pytest.fixture
def home(tmp_path: Path, listener: Listener) -> Path:
    """A folder with one source, and a destination in its secrets."""
    configure(tmp_path, AZURE)
    notify(tmp_path, f"{listener.url}/hooks/{TOKEN}")
    return tmp_path


def same_as_status(home: Path, found: Mapping[str, Any]) -> bool:
    """Whether `status --check` has the words of a reason."""
    done = run_in(home, "status", "--check", env={"SOURCES__NOTIFY": ""})
    assert done.returncode == found["exit_code"]
    return str(found["message"]) in done.stderr


class TestLoad:
    def test_where_all_is_well_nobody_is_told_anything(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="first")
        for words in (("load",), ("load",), ("status", "--check")):
            done = run(*words)
            assert (done.returncode, done.stderr) == (0, "")
        assert not told(listener)

    def test_a_held_run_is_told_once_by_whichever_command_and_then_that_all_is_well(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="first", at=NOW - 5 * HOUR, costs=("100", "200"))
        run("load")
        deliver(home, WRITER, run_id="small", costs=("1",), at=NOW - 3 * HOUR)
        assert run("load").returncode == 6
        message = only(listener)
        found = reason(message)
        assert (message["kind"], message["exit_code"]) == ("alert", 6)
        assert message["title"] == f"azure_billing {BEFORE}: held [{shown(home)}]"
        assert (found["kind"], found["run_id"], found["is_new"]) == ("held", "small", True)
        assert found["next"] == "cloudbill status azure_billing"
        assert f"Next: {found['next']}, then accept or dismiss the run" in message["text"]
        assert f"`cloudbill accept {BEFORE} --source azure_billing`" in found["message"]
        assert (found["warehouse"], message["folder"]) == (shown(home), str(home))
        assert same_as_status(home, found)
        for words in (("load",), ("status", "--check"), ("load", "azure")):
            assert run(*words).returncode == 6
        assert not told(listener)
        assert run("dismiss", "azure", BEFORE).returncode == 0
        assert run("status", "--check").returncode == 0
        message = only(listener)
        assert (message["kind"], message["reasons"]) == ("well", [])
        assert [one["key"] for one in message["ended"]] == [found["key"]]
        assert run("load").returncode == 0
        assert not told(listener)

    def test_a_held_run_that_is_accepted_ends_by_that(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="first", at=NOW - 5 * HOUR, costs=("100", "200"))
        run("load")
        deliver(home, WRITER, run_id="small", costs=("1",), at=NOW - 3 * HOUR)
        run("load")
        told(listener)
        assert run("accept", BEFORE, "--yes").returncode == 0
        message = only(listener)
        # It was closed, so it has also moved.
        assert message["command"] == f"cloudbill accept {BEFORE}"
        assert [one["kind"] for one in message["reasons"]] == ["moved"]
        assert [one["kind"] for one in message["ended"]] == ["held"]

    def test_without_its_memory_each_run_tells(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, damaged=True)
        for _ in range(2):
            assert run("load").returncode == 5
            assert reason(only(listener))["is_new"]
            shutil.rmtree(home / "cache")

    def test_a_month_that_fails_is_told_in_the_words_of_its_error(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, damaged=True, run_id="broken")
        done = run("load")
        assert done.returncode == 5
        found = reason(only(listener))
        assert (found["kind"], found["period"], found["run_id"]) == ("failed", BEFORE, "broken")
        assert found["message"].splitlines()[0] in done.stderr
        assert found["next"] == "cloudbill status azure_billing --check"
        # `status --check` says of the same try that it was the last one: the same reason.
        assert run("status", "--check").returncode == 5
        assert not told(listener)
        deliver(home, WRITER, run_id="whole", at=NOW - HOUR)
        assert run("load").returncode == 0
        assert only(listener)["kind"] == "well"

    def test_a_run_that_waits_too_long(self, run: Run, home: Path, listener: Listener) -> None:
        written = deliver(home, WRITER, run_id="late", at=NOW - timedelta(days=3))
        written.parts[1].unlink()
        assert run("load").returncode == 8
        found = reason(only(listener))
        assert (found["kind"], found["error"], found["run_id"]) == ("waiting", "StaleError", "late")
        assert "it lacks" in found["message"]
        assert found["next"] == "cloudbill plan azure_billing"
        assert same_as_status(home, found)
        # A part that is there, and short, is not lacking.
        name = written.parts[1].name
        written.parts[1].write_bytes(b"x" * 10)
        long_ago = (NOW - timedelta(days=3)).timestamp()
        os.utime(written.parts[1], (long_ago, long_ago))
        assert run("load").returncode == 8
        assert not told(listener)
        done = run("status", "--check", env={"SOURCES__NOTIFY": ""})
        assert f"its part {name} has 10 of " in done.stderr
        assert "lacks" not in done.stderr
        text = " ".join(done.stdout.split())
        assert f"1 of 2 parts missing or not whole; {name} has 10 of" in text

    def test_of_a_manifest_that_cannot_be_read_the_first_line_says_which_and_what_to_do(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="whole")
        broken = deliver(home, WRITER, run_id="broken", at=NOW - HOUR)
        broken.manifest.write_text("{")
        assert run("load").returncode == 3
        message = only(listener)
        (line, *_) = message["text"].splitlines()
        assert broken.manifest.name in line
        assert line.endswith("Other runs are loaded as usual; deliver this one again")

    def test_a_source_of_which_nothing_new_came(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, at=NOW - OLD)
        configure(home, AZURE + 'max_age = "2d"\n')
        # A load does not judge ages by its exit code, and tells of them all the same.
        assert run("load").returncode == 0
        message = only(listener)
        assert (message["exit_code"], reason(message)["exit_code"]) == (0, 8)
        assert reason(message)["kind"] == "stale"
        assert reason(message)["period"] is None
        assert run("status", "--check").returncode == 8
        assert not told(listener)
        assert "ended with" not in message["text"]
        # An age that a person asks for takes nothing back of what the key says.
        assert run("status", "--check", "--max-age", "900d").returncode == 0
        assert run("load").returncode == 0
        assert not told(listener)
        # Without the key no age is too old.
        configure(home, AZURE)
        assert run("load").returncode == 0
        assert only(listener)["kind"] == "well"
        # What an option says is told and ended by that option alone.
        old = run("status", "--check", "--max-age", "2d", "--json")
        assert old.returncode == 8
        (source,) = json.loads(old.stdout)["sources"]
        assert [one["exit_code"] for one in source["reasons"]] == [8]
        assert reason(only(listener))["kind"] == "stale"
        for words in (("load",), ("status", "--check"), ("status", "--check", "--max-age", "90d")):
            assert run(*words).returncode == 0
            assert not told(listener)
        deliver(home, WRITER, run_id="new", at=NOW)
        run("load")
        assert run("status", "--check", "--max-age", "2d").returncode == 0
        assert only(listener)["kind"] == "well"

    def test_a_closed_month_that_moved(self, run: Run, home: Path, listener: Listener) -> None:
        deliver(home, WRITER, run_id="closed", at=NOW - 5 * HOUR, costs=("100", "0.125"))
        run("load")
        deliver(home, WRITER, run_id="more", at=NOW - 3 * HOUR, costs=("100", "0.125", "7.5"))
        assert run("load").returncode == 0
        message = only(listener)
        found = reason(message)
        assert (
            message["title"] == f"azure_billing {BEFORE}: moved after it had closed [{shown(home)}]"
        )
        assert (found["kind"], found["run_id"], found["error"]) == ("moved", "more", None)
        (amount,) = found["amounts"]
        assert (amount["currency"], amount["column"]) == ("EUR", "BilledCost")
        amounts = [Decimal(amount[name]) for name in ("old", "new", "difference")]
        assert amounts == [Decimal("100.125"), Decimal("107.625"), Decimal("7.5")]
        assert "from 100.13 EUR to 107.63 EUR, +7.50 EUR" in found["message"]
        assert "closed at" not in found["message"]
        assert run("load").returncode == 0
        assert not told(listener)
        # From the second time on, what it closed at is another amount than the one before.
        deliver(home, WRITER, run_id="most", at=NOW - HOUR, costs=("100", "0.125", "8.5"))
        run("load")
        assert (
            f"from 107.63 EUR to 108.63 EUR, +1.00 EUR (run most). {BEFORE} closed at 100.13 EUR, "
            "now 108.63 EUR, +8.50 EUR"
        ) in reason(only(listener))["message"]

    def test_amounts_that_are_rounded_say_so_where_they_do_not_add_up(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        for run_id, cost, hours in (("closed", "420.0149", 5), ("more", "439.1151", 3)):
            deliver(home, WRITER, run_id=run_id, at=NOW - hours * HOUR, costs=(cost,))
            run("load")
        found = reason(only(listener))
        assert "from 420.01 EUR to 439.12 EUR, +19.10 EUR" in found["message"]
        assert "rounded, so the amounts do not add up; --exact has every digit" in found["message"]
        assert found["next"] == f"cloudbill history azure_billing --month {BEFORE} --exact"

    def test_an_open_month_may_move_and_so_may_a_load_that_changes_no_amount(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        for number in range(2):
            before = NOW - timedelta(minutes=90 - number)
            costs = ("1",) * (number + 1)
            deliver(home, WRITER, period=MONTH, run_id=f"open{number}", at=before, costs=costs)
            deliver(home, WRITER, run_id=f"same{number}", at=before, costs=("1", "2"))
            assert run("load").returncode == 0
        assert not told(listener)

    def test_a_table_that_something_else_changed(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, costs=("1", "2", "3"))
        run("load")
        with duckdb.connect(home / "cloudbill.duckdb") as connection:
            table = "billing.azure_focus_billing_data"
            connection.execute(f"UPDATE {table} SET BilledCost = 10 WHERE BilledCost = 3")  # noqa: S608
        assert run("load").returncode == 0
        message = only(listener)
        found = reason(message)
        assert message["title"] == (
            f"azure_billing {BEFORE}: was not as recorded, loaded again [{shown(home)}]"
        )
        assert (found["kind"], found["period"]) == ("differs", BEFORE)
        amounts = {one["column"]: one for one in found["amounts"]}
        assert Decimal(amounts["BilledCost"]["difference"]) == 7
        assert "This load loaded the month again, and it now holds" in found["message"]
        assert found["is_event"]
        assert run("status", "--check").returncode == 0

    def test_of_sources_with_one_destination_one_message_tells_also_of_a_broken_one(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        twin = AZURE.replace("azure_billing]", "azure_billing.twin]") + 'table_name = "twin"\n'
        broken = AZURE.replace("azure_billing]", "azure_billing.wrong]") + "max_wait = 7\n"
        configure(home, AZURE + twin + broken)
        deliver(home, WRITER, damaged=True)
        done = run("load")
        assert done.returncode == 5
        message = only(listener)
        kinds = {(one["source"], one["error"]) for one in message["reasons"]}
        assert {source for source, _ in kinds} == {
            "azure_billing",
            "azure_billing.twin",
            "azure_billing.wrong",
        }
        assert ("azure_billing.wrong", "ConfigError") in kinds
        assert message["title"] == f"cloudbill: 3 things to look at (3 failed) [{shown(home)}]"
        # The source of its own destination is told of itself alone.
        with listening() as other:
            configure(home, AZURE + twin + f'notify = "{other.url}"\n' + broken)
            run("load", env={"SOURCES__AZURE_BILLING__TWIN__NOTIFY": other.url})
            assert {one["source"] for one in only(other)["reasons"]} == {"azure_billing.twin"}

    def test_a_store_that_cannot_be_read_leaves_what_was_held_as_it_was(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="first", at=NOW - 5 * HOUR, costs=("100", "200"))
        run("load")
        deliver(home, WRITER, run_id="small", costs=("1",))
        run("load")
        held = reason(only(listener))
        (home / "exports").rename(home / "away")
        assert run("load").returncode == 4
        message = only(listener)
        assert (reason(message)["error"], message["ended"]) == ("StoreError", [])
        (home / "away").rename(home / "exports")
        assert run("load").returncode == 6
        message = only(listener)
        assert [one["key"] for one in message["reasons"]] == [held["key"]]
        assert [one["error"] for one in message["ended"]] == ["StoreError"]

    def test_a_mistake_on_the_command_line_concerns_nobody_else(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER)
        assert run("load", "--month", "2999-01").returncode == 2
        assert run("status", "--check", "--max-age", "soon").returncode == 2
        assert not told(listener)

    def test_plans_and_a_status_without_check_tell_nobody(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        (home / "exports").mkdir()
        for words in (("plan",), ("load", "--dry-run"), ("status",), ("doctor",)):
            run(*words)
        assert not told(listener)
