"""Who is told where something keeps commands from telling: broken files, a stop, a destination."""

from __future__ import annotations

import json
import signal
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudbill.alerts import sending
from contract.deliveries import AzureWriter
from documents import ALERT, require_fit
from end_to_end.conftest import configure
from end_to_end.imported import imported_command
from end_to_end.situations import AZURE, BEFORE, NOW, deliver
from listeners import TOKEN, Listener, notify, only, reason, shown, told

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


class TestConfiguration:
    def test_files_that_dlt_cannot_read_are_told_where_a_variable_says_whom(
        self, run_process: Run, home: Path, listener: Listener
    ) -> None:
        configure(home, AZURE + "bucket = \n")
        done = run_process("load", env={"SOURCES__NOTIFY": f"{listener.url}/{TOKEN}"})
        assert done.returncode == 2
        found = reason(only(listener))
        assert (found["source"], found["error"]) == (None, "ConfigError")

    def test_a_broken_file_leaves_who_is_named_in_the_other_one(
        self, run_process: Run, home: Path, listener: Listener
    ) -> None:
        secrets = home / ".dlt/secrets.toml"
        configure(home, AZURE + "bucket = \n")
        for words in (("load",), ("status", "--check")):
            done = run_process(*words)
            assert done.returncode == 2
            assert "Nobody could be told" not in done.stderr
        # The second one found the same reason.
        found = reason(only(listener))
        assert (found["source"], found["error"]) == (None, "ConfigError")
        configure(home, AZURE)
        secrets.write_text(secrets.read_text() + "broken\n")
        for words in (("load",), ("status", "--check")):
            done = run_process(*words)
            assert done.returncode == 2
            assert "Nobody could be told: 'notify' is in .dlt/secrets.toml, which" in done.stderr
            assert TOKEN not in done.stderr
        assert not told(listener)

    def test_two_projects_that_call_a_source_alike_have_keys_of_their_own(
        self, run: Run, home: Path, listener: Listener
    ) -> None:
        configure(home, AZURE + "max_wait = 7\n")
        run("load")
        first = reason(only(listener))
        configure(home, AZURE + 'max_wait = 7\ndatabase = "staging/bills.duckdb"\n')
        run("load")
        second = reason(only(listener))
        assert first["key"] != second["key"]
        assert second["warehouse"] == "staging/bills.duckdb billing"


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
        assert reason(message)["is_event"]
        assert message["title"] == f"cloudbill: stopped [{shown(home)}]"
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
        assert (
            sent["title"] == message["title"] == f"azure_billing {BEFORE}: failed [{shown(home)}]"
        )
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
