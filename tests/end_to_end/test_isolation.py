"""Whatever ends a source, the others go on, and each failure is named with what to do."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.providers import azure_focus
from end_to_end.conftest import configure
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

GOOD = """
[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""
AZURE = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
BROKEN = {
    "nouser": ('bucket = "~nosuchuser/x"', "~ is the home of nobody here"),
    "nodatabase": ('database = "~nosuchuser/b"', "must be a file; its ~ is the home of nobody"),
    "nomemory": ('memory_limit = "0MB"', "'memory_limit' of [sources.azure_billing.nomemory] must"),
    "toomuch": ('memory_limit = "99999999999TB"', "which DuckDB does not take"),
    "typo": ('prefex = "x"', "Unknown key 'prefex'"),
    "one": ('table_name = "twin"', "both load the table"),
    "two": ('table_name = "twin"', "both load the table"),
    "pipe": ('database = "pipe.duckdb"', "is not a file"),
    "folder": ('database = ".dlt"', "is not a file"),
    "reserved": ('dataset = "temp"', "must not be 'temp'"),
    "nothing": ('bucket = "./nowhere"', "There is no folder"),
    "pem": ('bucket = "gs://b"', "The credentials for gs://b cannot be used"),
    "key": ('bucket = "az://c"', "The credentials for az://c cannot be used"),
}
SECRETS = """
[sources.azure_billing.pem.credentials]
project_id = "p"
client_email = "a@example.com"
private_key = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n"

[sources.azure_billing.key.credentials]
azure_storage_account_name = "account"
azure_storage_account_key = "abcde"
"""
IS_ENDED = [
    ("load",),
    ("plan",),
    ("status",),
    ("history",),
    ("verify",),
    ("doctor",),
    ("state", "rebuild"),
]
BY_NOTHING_BUT_THE_STORE = {"nothing", "nouser", "pem", "key"}


@pytest.fixture
def broken(tmp_path: Path) -> None:
    """A good source, and after it many that are broken, each in its own way."""
    write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    sections = [
        f"[sources.azure_billing.{name}]\n"
        + ("" if "table_name" in line else f'table_name = "{name}"\n')
        + ("" if "bucket" in line else 'bucket = "./exports"\n')
        + f'prefix = "billing"\nexport_name = "focus-daily"\nretry_for_s = 1\n{line}\n'
        for name, (line, _) in BROKEN.items()
    ]
    configure(tmp_path, GOOD + "".join(sections))
    (tmp_path / ".dlt" / "secrets.toml").write_text(SECRETS)
    os.mkfifo(tmp_path / "pipe.duckdb")


def failures(document: str) -> dict[str, str]:
    """What each source failed of."""
    return {
        str(one["source"]).rpartition(".")[2]: one["message"]
        for one in json.loads(document)["failures"]
    }


@pytest.mark.usefixtures("broken")
@pytest.mark.timeout(120)
class TestForeseen:
    def test_a_load_does_all_others_and_names_each_failure(self, run: Run) -> None:
        done = run("load", "--json")

        document = json.loads(done.stdout)
        assert [(one["source"], one["period"]) for one in document["loads"]] == [
            ("aws_billing", "2025-10")
        ]
        found = failures(done.stdout)
        assert set(found) == set(BROKEN)
        for name, (_, said) in BROKEN.items():
            assert said in found[name], name
        assert done.returncode == 4
        assert "Traceback" not in done.stderr
        assert "unexpected" not in done.stderr

    def test_every_command_does_all_others_and_names_each_failure(
        self, run: Run, subtests: pytest.Subtests
    ) -> None:
        assert run("load", "aws", "-q").returncode == 0
        for words in IS_ENDED[1:]:
            with subtests.test(" ".join(words)):
                done = run(*words)

                needs_store = words[0] in {"plan", "status", "doctor"}
                for name, (_, said) in BROKEN.items():
                    if needs_store or name not in BY_NOTHING_BUT_THE_STORE:
                        assert said in done.stderr + done.stdout, name
                assert done.returncode in {2, 4, 5}
                assert "unexpected" not in done.stderr
                assert "aws_billing" in done.stdout


class TestConfiguration:
    @pytest.mark.parametrize("file", ["config.toml", "secrets.toml"])
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"[sources\n", "is not valid TOML"),
            (b'# a comment\nname = "M\xfcller"\n', "is not UTF-8 in line 2; save it as UTF-8"),
        ],
        ids=["broken", "latin"],
    )
    def test_a_file_that_dlt_cannot_read_is_named_with_its_line(
        self, run_process: Run, tmp_path: Path, file: str, content: bytes, said: str
    ) -> None:
        configure(tmp_path, GOOD)
        (tmp_path / ".dlt" / file).write_bytes(content)

        done = run_process("status", "--json")

        (failure,) = json.loads(done.stdout)["failures"]
        assert (done.returncode, failure["error"]) == (2, "ConfigError")
        assert f".dlt/{file} {said}" in failure["message"]
        assert "unexpected" not in done.stderr

    def test_a_section_that_is_misspelt_stops_no_other(self, run: Run, tmp_path: Path) -> None:
        write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, GOOD + AZURE.replace("azure_billing", "azure_biling"))

        done = run("load", "--json")

        assert done.returncode == 2
        assert len(json.loads(done.stdout)["loads"]) == 1
        (failure,) = json.loads(done.stdout)["failures"]
        assert failure["message"].startswith("Unknown section [sources.azure_biling].")


class TestUnforeseen:
    """An error that nobody foresaw: two lines, a file with the traceback, and the others go on."""

    @pytest.fixture(autouse=True)
    def _fault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Reading Azure's manifests fails in a way that no code knows."""
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AZURE + GOOD)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

        def fail(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError("of AccountKey=c2VjcmV0c2VjcmV0;")

        monkeypatch.setattr(azure_focus, "read_manifest", fail)

    def log(self, tmp_path: Path) -> Path:
        """The file that has the traceback."""
        return tmp_path / "state" / "cloudbill" / "faults.log"

    @pytest.mark.parametrize("words", [("load",), ("plan",), ("status",), ("doctor",)])
    def test_the_others_go_on(self, run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
        done = run(*words)

        assert done.returncode == 1
        lines = [line for line in done.stderr.splitlines() if "azure_billing" in line]
        assert lines == [
            (
                "Failed azure_billing - unexpected ZeroDivisionError: of AccountKey=[redacted];. "
                "This is a fault of cloudbill; what was loaded before stays"
            )
        ]
        assert (
            f"Its traceback is in {self.log(tmp_path)}: report it with that, then run again"
            in done.stderr.splitlines()
        )
        assert "More:" not in done.stderr
        assert "Traceback" not in done.stderr
        assert "aws_billing" in done.stdout or "AWS" in done.stdout
        text = self.log(tmp_path).read_text()
        assert "in fail" in text
        assert "c2VjcmV0" not in text
        assert stat.S_IMODE(self.log(tmp_path).stat().st_mode) == 0o600

    def test_the_document_and_the_table_have_the_others(self, run: Run) -> None:
        done = run("load", "--json")

        document = json.loads(done.stdout)
        assert [one["source"] for one in document["loads"]] == ["aws_billing"]
        assert [(one["source"], one["error"]) for one in document["failures"]] == [
            ("azure_billing", "UnexpectedError")
        ]
        assert [one["source"] for one in json.loads(run("history", "--json").stdout)["months"]] == [
            "aws_billing"
        ]

    def test_it_is_told_in_json_lines_as_well(self, run: Run) -> None:
        done = run("load", "--log-format", "json")

        entries = [json.loads(line) for line in done.stderr.splitlines()]
        assert [entry["error"] for entry in entries if "error" in entry] == ["UnexpectedError"]

    def test_where_no_file_can_be_kept_the_message_says_what_to_do(
        self, run: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "state").write_text("")

        done = run("load")

        assert done.returncode == 1
        assert "Its traceback could not be kept: run again with -v" in done.stderr

    def test_with_verbose_the_traceback_is_printed_too(self, run: Run) -> None:
        done = run("load", "-v")

        assert "Traceback (most recent call last):" in done.stderr
        assert "c2VjcmV0" not in done.stderr


class TestAccept:
    def test_a_source_that_cannot_be_looked_at_makes_whose_run_is_meant_unclear(
        self, run: Run, tmp_path: Path
    ) -> None:
        write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, GOOD + AZURE.replace("./exports", "~nosuchuser/x"))

        done = run("accept", "2025-10", "--json")

        assert done.returncode == 2
        found = failures(done.stdout)
        assert set(found) == {"azure_billing"}
        assert "~ is the home of nobody here" in found["azure_billing"]
