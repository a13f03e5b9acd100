"""The configuration is written by options, or by questions on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aws_forms import write_data_export, write_report
from end_to_end.conftest import configure
from end_to_end.imported import INSTALLED, imported_command
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from emulators.gcs import GcsEmulator
    from end_to_end.conftest import Run

DEADLINE_S = 60.0
INTERRUPT, END_OF_FILE = "\x03", "\x04"


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """An export of each provider, below one folder."""
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
    return tmp_path / "exports"


def written(folder: Path) -> dict[str, Any]:
    """The sources of the configuration file."""
    found: dict[str, Any] = tomllib.loads((folder / ".dlt/config.toml").read_text())["sources"]
    return found


def talk(folder: Path, words: Sequence[str], answers: Sequence[str]) -> tuple[str, int]:
    """Answers the questions of `cloudbill init` on a terminal; what it showed, and its code."""
    command = INSTALLED if INTERRUPT in answers else str(imported_command())
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(command, [command, "init", *words])  # noqa: S606
    shown, left, ends_at = "", list(answers), time.monotonic() + DEADLINE_S
    asked, answer = 0, ""
    try:
        while time.monotonic() < ends_at:
            if not select.select([terminal], [], [], 1.0)[0]:
                # Python's input() misses what comes between its prompt and its wait; who presses
                # Ctrl-C and sees nothing happen presses it again.
                if answer == INTERRUPT:
                    os.write(terminal, INTERRUPT.encode())
                continue
            try:
                shown += os.read(terminal, 65536).decode()
            except OSError:  # the other end is closed
                break
            if left and shown.endswith(": ") and len(shown) > asked:
                answer = left.pop(0)
                ends = "" if answer in {INTERRUPT, END_OF_FILE} else "\n"
                os.write(terminal, f"{answer}{ends}".encode())
                asked = len(shown)
        else:
            os.kill(child, signal.SIGKILL)
    finally:
        status = os.waitpid(child, 0)[1]
        os.close(terminal)
    assert not left, shown
    return shown.replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


class TestOptions:
    def test_the_one_export_of_a_provider_is_found_written_and_loaded(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        result = run("init", "--provider", "azure", "--bucket", "./exports")
        assert result.returncode == 0, result.stderr
        assert exports.is_dir()
        assert written(tmp_path) == {
            "azure_billing": {
                "bucket": "./exports",
                "prefix": "billing",
                "export_name": "focus-daily",
                "table_name": "azure_focus_billing_data",
            }
        }
        shown, _, after = result.stdout.partition("Wrote .dlt/config.toml")
        assert (tmp_path / ".dlt/config.toml").read_text().strip() in shown
        assert "`cloudbill doctor`" in after
        assert "`cloudbill load`" in after
        assert run("doctor").returncode == 0
        assert run("load").returncode == 0

    def test_every_answer_can_be_an_option_and_then_nothing_is_looked_for(
        self, run: Run, tmp_path: Path
    ) -> None:
        options = {
            "provider": "aws",
            "bucket": "s3://my-cur-bucket",
            "prefix": "cur",
            "export-name": "my-report",
            "name": "hourly",
            "table-name": "aws_hourly",
            "project-id": "acme",
            "dataset": "finops",
            "location": "EU",
        }
        words = [word for key, value in options.items() for word in (f"--{key}", value)]
        result = run("init", *words)
        assert result.returncode == 0, result.stderr
        keys = {key.replace("-", "_"): value for key, value in options.items()}
        assert written(tmp_path)["aws_billing"]["hourly"] == {
            key: value for key, value in keys.items() if key not in {"provider", "name"}
        }
        assert "[sources.aws_billing.hourly.credentials]: aws_access_key_id" in result.stdout
        assert "gcloud auth application-default login" in result.stdout

    def test_several_exports_are_listed_with_the_options_that_choose_one(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        result = run("init", "--bucket", str(exports))
        assert result.returncode == 2
        assert "--provider azure --prefix billing --export-name focus-daily" in result.stderr
        assert "--provider aws --prefix cur --export-name cur-hourly" in result.stderr
        assert not (tmp_path / ".dlt").exists()
        chosen = run("init", "--bucket", str(exports), "--export-name", "cur-hourly")
        assert chosen.returncode == 0
        assert list(written(tmp_path)) == ["aws_billing"]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ((), "--bucket is missing"),
            (("--bucket", "./exports/billing/nothing"), "There is no folder"),
            (("--bucket", ".", "--prefix", "nothing"), "No export was found in ., folder"),
            (("--bucket", "ftp://x"), "'ftp://' is not a known store"),
            (("--bucket", "az://bills?sig=hush"), "contains credentials"),
            (("--bucket", "C:\\bills"), "is a path of Windows"),
            (("--bucket", ".", "--database", "C:/b.duckdb"), "is a path of Windows"),
            (("--provider", "oracle"), "known are azure, aws"),
            (("--bucket", ".", "--name", "2nd"), "cannot be the name of a source"),
            (("--bucket", ".", "--dataset", "a-b"), "cannot be the dataset"),
            (("--bucket", ".", "--all", "--name", "more"), "--name is for one export"),
            (("--bucket", ".", "--all", "--replace"), "--replace is for one export"),
        ],
    )
    def test_what_is_missing_or_wrong_is_an_error_that_names_it_and_nothing_is_written(
        self, run: Run, tmp_path: Path, exports: Path, words: tuple[str, ...], message: str
    ) -> None:
        assert exports.is_dir()
        result = run("init", *words)
        assert result.returncode in {2, 4}
        assert message in result.stderr
        assert "hush" not in result.stdout + result.stderr
        assert not (tmp_path / ".dlt").exists()

    def test_a_section_is_changed_with_replace_alone_and_all_else_stays(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        before = (
            "# ours\n[sources.azure_billing]\nbucket = 'old'\nexport_name = 'e'\ntotals = false\n"
        )
        configure(tmp_path, before)
        words = ("init", "--bucket", str(exports), "--provider", "azure")
        refused = run(*words)
        assert refused.returncode == 2
        assert "--replace" in refused.stderr
        assert "--name" in refused.stderr
        assert (tmp_path / ".dlt/config.toml").read_text() == before
        assert run(*words, "--replace").returncode == 0
        after = (tmp_path / ".dlt/config.toml").read_text()
        assert after.startswith("# ours\n[sources.azure_billing]\n")
        assert written(tmp_path)["azure_billing"]["bucket"] == str(exports)
        assert written(tmp_path)["azure_billing"]["totals"] is False

    def test_a_second_export_gets_a_table_of_its_own(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        configure(
            tmp_path, "[sources.azure_billing]\nbucket = 'old'\nexport_name = 'e' # the first\n"
        )
        words = ("--bucket", str(exports), "--provider", "azure", "--name", "monthly")
        assert run("init", *words).returncode == 0
        assert written(tmp_path)["azure_billing"]["monthly"]["table_name"] == (
            "azure_focus_billing_data_monthly"
        )
        assert "# the first" in (tmp_path / ".dlt/config.toml").read_text()

    def test_a_scope_is_written_and_a_second_export_inherits_none(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        words = ("init", "--bucket", str(exports), "--provider", "azure", "--yes")
        assert run(*words, "--scope", "/Subscriptions/A/").returncode == 0
        assert run(*words, "--name", "second").returncode == 0
        found = written(tmp_path)["azure_billing"]
        assert (found["scope"], found["second"]["scope"]) == ("/Subscriptions/A/", "")

    def test_a_source_for_duckdb_stays_one_beside_a_shared_project(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        configure(tmp_path, "[sources]\nproject_id = 'acme'\n")
        words = ("init", "--bucket", str(exports), "--provider", "azure", "--database", "b.duckdb")
        assert run(*words).returncode == 0
        assert run("load", "--quiet").returncode == 0
        assert (tmp_path / "b.duckdb").exists()

    def test_what_the_environment_would_overrule_is_not_written(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        result = run(
            *("init", "--bucket", str(exports), "--provider", "azure"),
            env={"SOURCES__AZURE_BILLING__TABLE_NAME": "other"},
        )
        assert result.returncode == 2
        assert "'table_name' of [sources.azure_billing] would be 'other'" in result.stderr
        assert not (tmp_path / ".dlt").exists()

    def test_a_file_that_is_not_toml_is_left_alone(self, run_process: Run, tmp_path: Path) -> None:
        configure(tmp_path, "[sources\n")
        result = run_process("init", "--bucket", "bills")
        assert result.returncode == 2
        assert "not valid TOML" in result.stderr
        assert "line 1" in result.stderr
        assert (tmp_path / ".dlt/config.toml").read_text() == "[sources\n"

    def test_a_bucket_name_is_one_on_gs(
        self, run: Run, exports: Path, gcs: GcsEmulator, tmp_path: Path
    ) -> None:
        gcs.create_bucket("bills")
        gcs.upload_tree(exports, "bills", "copied")
        words = ("init", "--bucket", "bills", "--provider", "azure", "--project-id", "acme")
        result = run(*words, env={"STORAGE_EMULATOR_HOST": gcs.url})
        assert result.returncode == 0, result.stderr
        assert written(tmp_path)["azure_billing"]["prefix"] == "copied/billing"
        assert "Credentials" not in result.stdout, "they worked"

        own = {"SOURCES__CREDENTIALS__PROJECT_ID": "acme", "STORAGE_EMULATOR_HOST": gcs.url}
        result = run(*words, "--replace", env=own)
        assert "Credentials for gs://" not in result.stdout
        assert "Credentials for BigQuery" in result.stdout, "those of the bucket are its own"

        named = run(*words, "--name", "second", "--prefix", "p", "--export-name", "e")
        assert named.returncode == 0, named.stderr
        assert "Credentials for gs://" in named.stdout, "nothing was read with them"


class TestQuestions:
    def test_wrong_answers_are_asked_again_with_the_reason_and_right_ones_are_written(
        self, exports: Path, tmp_path: Path
    ) -> None:
        write_azure(exports, months=2, rows=40, seed=2, export_name="monthly")
        answers = ["ftp://x", "./nothing", "./exports", "9", "monthly", ",", "2"]
        answers += ["snowflake", "bigquery", "my project", "acme", "", "EU", "maybe", "y"]
        shown, code = talk(tmp_path, ("--provider", "azure"), answers)
        assert code == 0, shown
        for reason in (
            "'ftp://' is not a known store",
            "There is no folder",
            "'9' is not one of them; type numbers from 1 to 2, such as 1,2, or all",
            "'monthly' is not one of them",
            "Type numbers from 1 to 2, or all",
            "'snowflake' is neither duckdb nor bigquery",
            "'my project' cannot be the Google Cloud project",
            "Type y or n",
        ):
            assert reason in shown
        section = written(tmp_path)["azure_billing"]
        assert f"2) azure: {section.pop('export_name')} in billing - " in shown
        assert section == {
            "bucket": "./exports",
            "prefix": "billing",
            "table_name": "azure_focus_billing_data",
            "project_id": "acme",
            "dataset": "billing",
            "location": "EU",
        }

    def test_defaults_are_taken_by_the_enter_key(self, exports: Path, tmp_path: Path) -> None:
        shown, code = talk(tmp_path, (), [str(exports), "", "", "", ""])
        assert code == 0, shown
        assert "Which ones, such as 1,2, or all [all]: " in shown
        assert "Write it to .dlt/config.toml [Y/n]: " in shown
        found = written(tmp_path)
        assert found["azure_billing"]["database"] == found["aws_billing"]["database"]
        assert found["aws_billing"]["database"] == "cloudbill.duckdb"

    def test_some_of_what_is_found_is_chosen_by_numbers_and_what_is_there_stays(
        self, tmp_path: Path
    ) -> None:
        write_data_export(tmp_path / "exports", "cur2")
        write_data_export(tmp_path / "exports", "focus", table="focus")
        write_report(tmp_path / "exports", "legacy", account="999999999999")
        configure(tmp_path, "[sources.aws_billing]\nbucket = 'old'\nexport_name = 'e'\n")
        shown, code = talk(tmp_path, (), ["./exports", "3, 2", "", "", "y"])
        assert code == 0, shown
        assert "deliver the same charges, those of 123456789012" in shown
        listed = re.findall(r"^  [1-3]\) (\w+): (\S+) in ", shown, re.MULTILINE)
        found = written(tmp_path)
        assert found["aws_billing"].pop("bucket") == "old"
        assert found["aws_billing"].pop("export_name") == "e"
        names = {
            one["export_name"] for one in (*found.pop("aws_billing").values(), *found.values())
        }
        assert names == {name for _, name in listed[1:]}

    def test_an_export_that_is_not_there_yet_is_named_by_hand(self, tmp_path: Path) -> None:
        (tmp_path / "exports").mkdir()
        answers = ["./exports", "gcp", "aws", "cur", "", "hourly", "", "", "y"]
        shown, code = talk(tmp_path, (), answers)
        assert code == 0, shown
        assert "No export was found in ./exports" in shown
        assert "'gcp' is not a provider" in shown
        assert "It cannot be empty" in shown
        assert written(tmp_path)["aws_billing"]["export_name"] == "hourly"

    def test_a_section_that_is_there_is_asked_for(self, exports: Path, tmp_path: Path) -> None:
        configure(tmp_path, "[sources.azure_billing]\nbucket = 'old'\nexport_name = 'e'\n")
        answers = [str(exports), "", "", "2nd", "second", ""]
        shown, code = talk(tmp_path, ("--provider", "azure"), answers)
        assert code == 0, shown
        assert "[sources.azure_billing] is already in" in shown
        assert "'2nd' cannot be the name of a source" in shown
        assert written(tmp_path)["azure_billing"]["bucket"] == "old"
        assert written(tmp_path)["azure_billing"]["second"]["export_name"] == "focus-daily"

    @pytest.mark.parametrize(
        ("last", "code", "message"),
        [
            (INTERRUPT, 130, "Stopped; nothing was written"),
            (END_OF_FILE, 1, "Stopped; nothing was written"),
            ("n", 0, "Nothing was written"),
        ],
    )
    def test_whoever_stops_has_nothing_written_and_is_told_so(
        self, exports: Path, tmp_path: Path, last: str, code: int, message: str
    ) -> None:
        shown, ended = talk(tmp_path, (), [str(exports), "", "", "", last])
        assert message in shown
        assert ended == code
        assert "Traceback" not in shown
        assert not (tmp_path / ".dlt").exists()

    def test_nothing_is_asked_when_all_is_said(self, exports: Path, tmp_path: Path) -> None:
        words = ["--bucket", str(exports), "--provider", "azure", "--export-name", "focus-daily"]
        shown, code = talk(tmp_path, [*words, "--database", "b.duckdb"], [])
        assert code == 0, shown
        shown, code = talk(tmp_path, ["--bucket", str(exports), "--name", "more", "--yes"], [])
        assert code == 2
        assert "2 exports are in" in shown
        shown, code = talk(tmp_path, ["--bucket", str(exports), "--all", "--yes"], [])
        assert code == 0, shown
