"""What the destinations of `notify` are told, by whole commands over exports on disk."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cloudbill.alerts import sending
from contract.deliveries import AzureWriter
from documents import ALERT, require_fit
from end_to_end.conftest import configure, run_in
from end_to_end.imported import imported_command
from end_to_end.situations import AZURE, BEFORE, MONTH, NOW, deliver
from listeners import TOKEN, Listener, listening, only, reason, told

if TYPE_CHECKING:
    from end_to_end.conftest import Run

WRITER = AzureWriter()
HOUR = timedelta(hours=1)
OLD = timedelta(days=10)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that takes every message."""
    with listening() as started:
        yield started


@pytest.fixture
def home(tmp_path: Path, listener: Listener) -> Path:
    """A folder with one source, and a destination in its secrets."""
    configure(tmp_path, AZURE)
    notify(tmp_path, f"{listener.url}/hooks/{TOKEN}")
    return tmp_path


def notify(home: Path, *destinations: str) -> None:
    """Writes the key into `secrets.toml`."""
    text = f"[sources]\nnotify = {json.dumps(destinations)}\n"
    (home / ".dlt/secrets.toml").write_text(text)


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
        assert message["title"] == f"azure_billing {BEFORE}: held"
        assert (found["kind"], found["run_id"], found["is_new"]) == ("held", "small", True)
        assert found["next"] == f"cloudbill accept {BEFORE} --source azure_billing"
        assert found["next"] in message["text"]
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
        assert found["next"] == f"cloudbill load azure_billing --month {BEFORE}"
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
        assert same_as_status(home, found)

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
        # Where only the option says what is too old, a load does not take back what `status` said.
        configure(home, AZURE)
        for words, code in ((("load",), 0), (("status", "--check", "--max-age", "2d"), 8)):
            assert run(*words).returncode == code
            assert not told(listener)

    def test_a_closed_month_that_moved(self, run: Run, home: Path, listener: Listener) -> None:
        deliver(home, WRITER, run_id="closed", at=NOW - 5 * HOUR, costs=("100", "0.125"))
        run("load")
        deliver(home, WRITER, run_id="more", at=NOW - 3 * HOUR, costs=("100", "0.125", "7.5"))
        assert run("load").returncode == 0
        message = only(listener)
        found = reason(message)
        assert message["title"] == f"azure_billing {BEFORE}: moved after it had closed"
        assert (found["kind"], found["run_id"], found["error"]) == ("moved", "more", None)
        (amount,) = found["amounts"]
        assert (amount["currency"], amount["column"]) == ("EUR", "BilledCost")
        amounts = [Decimal(amount[name]) for name in ("old", "new", "difference")]
        assert amounts == [Decimal("100.125"), Decimal("107.625"), Decimal("7.5")]
        assert "from 100.13 EUR to 107.63 EUR, +7.50" in found["message"]
        assert "closed at" not in found["message"]
        assert run("load").returncode == 0
        assert not told(listener)
        # From the second time on, what it closed at is another amount than the one before.
        deliver(home, WRITER, run_id="most", at=NOW - HOUR, costs=("100", "0.125", "8.5"))
        run("load")
        assert (
            f"from 107.63 EUR to 108.63 EUR, +1.00 (run most). {BEFORE} closed at 100.13 EUR, now "
            "108.63 EUR, +8.50"
        ) in reason(only(listener))["message"]

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
        found = reason(only(listener))
        assert (found["kind"], found["period"]) == ("differs", BEFORE)
        amounts = {one["column"]: one for one in found["amounts"]}
        assert Decimal(amounts["BilledCost"]["difference"]) == 7
        assert "loading the month again" in found["message"]

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
        assert message["title"] == "cloudbill: 3 things to look at (3 failed)"
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

    def test_files_that_dlt_cannot_read_are_told_where_a_variable_says_whom(
        self, run_process: Run, home: Path, listener: Listener
    ) -> None:
        configure(home, AZURE + "bucket = \n")
        done = run_process("load", env={"SOURCES__NOTIFY": f"{listener.url}/{TOKEN}"})
        assert done.returncode == 2
        found = reason(only(listener))
        assert (found["source"], found["error"]) == (None, "ConfigError")

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


class TestStopping:
    def test_a_load_that_a_scheduler_stops_is_told(self, home: Path, listener: Listener) -> None:
        deliver(home, WRITER)
        # This process has the file open, so the load waits until it is stopped.
        with (
            duckdb.connect(home / "cloudbill.duckdb"),
            subprocess.Popen(
                [imported_command(), "load", "--metrics", "load.prom"],
                cwd=home,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as load,
        ):
            assert load.stderr is not None
            assert "is locked by" in load.stderr.readline()
            load.send_signal(signal.SIGTERM)
            _, said = load.communicate(timeout=60)
        assert load.returncode == 130, said
        message = only(listener)
        assert (reason(message)["kind"], message["exit_code"]) == ("stopped", 130)
        assert reason(message)["next"] == "cloudbill load all"
        assert (
            'cloudbill_run_exit_code{command="load",sources="all"} 130'
            in (home / "load.prom").read_text()
        )


class TestDestinations:
    def test_who_cannot_be_told_changes_nothing_and_is_told_by_the_next_run(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        deliver(home, WRITER, run_id="closed", at=NOW - 5 * HOUR, costs=("1",))
        run("load")
        deliver(home, WRITER, run_id="more", at=NOW - 3 * HOUR, costs=("1", "2"))
        listener.answers = [403]
        done = run("load", "--json")
        assert done.returncode == 0
        assert json.loads(done.stdout)["failures"] == []
        assert "Not told http://127.0.0.1: answered 403. Nothing else is changed" in done.stderr
        assert TOKEN not in done.stderr
        told(listener)
        listener.answers = [200]
        assert run("load").stderr == ""
        assert [one["kind"] for one in only(listener)["reasons"]] == ["moved"]

    def test_a_program_and_apprise_are_told_as_well(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        got = home / "got.json"
        address = listener.url.replace("http", "json")
        notify(home, f"command:sh -c 'cat > {got}'", f"{address}/{TOKEN}")
        deliver(home, WRITER, damaged=True)
        done = run("load", "-v")
        assert done.returncode == 5
        assert "Told command:sh: ended with 0" in done.stdout
        message = require_fit(ALERT, got.read_text())
        sent = json.loads(listener.bodies[0])
        assert sent["title"] == message["title"] == f"azure_billing {BEFORE}: failed"
        assert sent["message"] in message["text"]

    def test_notify_sends_a_test_to_each_and_says_what_came_back(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        notify(home, f"{listener.url}/{TOKEN}", "command:false")
        done = run("notify")
        assert done.returncode == 1
        assert done.stdout == "ok  http://127.0.0.1 (azure_billing): answered 200\n"
        assert done.stderr == "not sent  command:false (azure_billing): ended with 1\n"
        assert only(listener)["kind"] == "test"
        notify(home)
        done = run("notify")
        assert done.returncode == 2
        assert "'notify' names nobody to tell" in done.stderr

    def test_no_secret_is_anywhere(
        self, run: Run, home: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sending, "_WAITS_S", (0.0, 0.0))
        pipe = f"https://user:PASSWORD@127.0.0.1:9/{TOKEN}?sig=S1GNATURE"
        notify(
            home, pipe, f"{listener.url}/{TOKEN}", f"slack://{TOKEN}/B/c", f"command:false {TOKEN}"
        )
        deliver(home, WRITER, damaged=True)
        shown = [run(*words) for words in (("load", "-v"), ("load", "--log-format", "json"))]
        shown += [run("config", "show"), run("config", "show", "--json"), run("notify", "-v")]
        (home / ".dlt/secrets.toml").unlink()
        for value in (f"{TOKEN} x", f'["{TOKEN}', f"command:'{TOKEN}", f"https://h:{TOKEN}/"):
            env = {"SOURCES__NOTIFY": value}
            shown += [run("load", env=env), run("config", "show", env=env), run("doctor", env=env)]
            assert shown[-3].returncode == 2
        text = "".join(one.stdout + one.stderr for one in shown) + listener.texts()
        kept = [one for one in home.rglob("*") if one.is_file() and ".dlt" not in one.parts]
        text += "".join(one.read_bytes().decode("latin-1") for one in kept)
        for secret in (TOKEN, "PASSWORD", "S1GNATURE"):
            assert secret not in text
        assert "https://127.0.0.1" in text
        assert "slack://" in text
