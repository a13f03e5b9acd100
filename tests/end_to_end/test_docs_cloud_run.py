"""The commands for Cloud Run that `just deploy-cloud-run` prints: they are run with stubs."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import yaml  # type: ignore[import-untyped]
from scripts.cloud_run_alerts import policies
from scripts.cloud_run_script import BUCKET_ROLES, DATASET_ROLE, PROJECT_ROLE
from scripts.deploy_cloud_run import main, read_source, shown

from cloudbill.errors import ConfigError
from cloudbill.settings.origins import HIDDEN, Origin, ShownKey
from cloudbill.sql import bigquery_text
from end_to_end.conftest import ROOT, configure, run_apart, run_in

if TYPE_CHECKING:
    from emulators.googlesql import GoogleSql

ODD = 'it\'s $HOME `id` "x" \\ ; é'
PROJECT, REGION, NAME, EMAIL = f"p {ODD}", f"r {ODD}", f"j {ODD}", f"e {ODD}@example.com"
PREFIX = f"a folder, {ODD}"
PASSWORD = "hunter2-is-not-printed"  # noqa: S105 - it is looked for
CONFIG = f"""
[sources]
dataset = "finops"
[sources.azure_billing]
bucket = "./exports"
prefix = {json.dumps(PREFIX, ensure_ascii=False)}
export_name = "focus-daily"
max_age = "36h"
database = "bills.duckdb"
[sources.azure_billing.monthly]
bucket = "gs://other-bucket"
table_name = "azure_monthly"
location = "EU"
cache = false
[sources.aws_billing]
bucket = "s3://cur-bucket"
export_name = "cur"
project_id = "bills-project"
"""
SECRETS = f'[sources.aws_billing.credentials]\naws_secret_access_key = "{PASSWORD}"\n'
STUB = f"""#!{sys.executable} -IS
import json, os, sys
words = sys.argv[1:]
files = {{}}
for flag, value in zip(words, words[1:]):
    if flag.endswith("-file"):
        files[flag] = open(value).read()
told = [os.path.basename(sys.argv[0]), *words], files
open(os.environ["CALLS"], "a").write(json.dumps(told) + "\\n")
is_there = os.environ["IS_THERE"] == "1"
if "describe" in words and not is_there:
    sys.exit(1)
if "list" in words and is_there or "channels" in words and "create" in words:
    print("projects/p/notificationChannels/1")
"""
WIDE = {"--project", "--format", "--filter", "--quiet"}
KNOWN = {
    "gcloud services enable": set(),
    "gcloud artifacts repositories": {"--location", "--repository-format"},
    "gcloud auth configure-docker": set(),
    "gcloud builds submit": {"--tag", "--timeout"},
    "gcloud iam service-accounts": {"--display-name"},
    "gcloud projects": {"--member", "--role", "--condition"},
    "gcloud storage buckets": {"--member", "--role"},
    "gcloud secrets": {"--replication-policy", "--data-file", "--member", "--role"},
    "gcloud run jobs deploy": {
        *("--args", "--cpu", "--env-vars-file", "--image", "--max-retries", "--memory"),
        *("--region", "--service-account", "--set-secrets", "--task-timeout", "--tasks"),
    },
    "gcloud run jobs execute": {"--region", "--wait"},
    "gcloud run jobs add-iam-policy-binding": {"--region", "--member", "--role"},
    "gcloud run jobs delete": {"--region"},
    "gcloud scheduler jobs": {
        *("--http-method", "--location", "--oauth-service-account-email", "--schedule"),
        *("--time-zone", "--uri"),
    },
    "gcloud beta monitoring channels": {"--channel-labels", "--display-name", "--type"},
    "gcloud monitoring policies": {"--policy-from-file", "--notification-channels"},
    "bq": {"--project_id", "--location", "--use_legacy_sql"},
    "docker build": {"--platform", "--tag"},
    "docker push": set(),
}
"""The flags of each command, a list kept by hand of those in the reference of its tool."""
Call = tuple[list[str], dict[str, str]]
WORDS = (PROJECT, REGION, "my-bucket", "--name", NAME, "--email", EMAIL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an odd name, a configuration and a secret."""
    made = tmp_path_factory.mktemp("odd") / ODD
    made.mkdir()
    configure(made, CONFIG)
    (made / ".dlt/secrets.toml").write_text(SECRETS)
    return made


@pytest.fixture(scope="module")
def texts(folder: Path) -> Mapping[str, str]:
    """What the command prints, for each way to build an image."""
    found: dict[str, str] = {}
    # The same folder is read once.
    with mock.patch("scripts.deploy_cloud_run.shown", functools.cache(shown)):
        for builder in ("gcloud", "docker"):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = main([*WORDS, "--folder", str(folder), "--build-with", builder])
            assert code == 0
            found[builder] = out.getvalue()
    return found


@pytest.fixture(scope="module")
def text(texts: Mapping[str, str]) -> str:
    """What the command prints by default."""
    return texts["gcloud"]


@pytest.fixture(scope="module")
def calls(text: str, tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What is called where nothing is there yet."""
    return run(text, tmp_path_factory.mktemp("calls"), is_there=False)


def run(text: str, folder: Path, *, is_there: bool) -> list[Call]:
    """The calls of a printed script, each with the files that it was given."""
    calls = folder / "calls"
    for name in ("gcloud", "bq", "docker"):
        (folder / name).write_text(STUB)
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "IS_THERE": str(int(is_there))}
    done = subprocess.run(
        ["bash"],
        input=text,
        cwd=folder,
        env={**os.environ, **env, "CALLS": str(calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [(words, files) for words, files in map(json.loads, calls.read_text().splitlines())]


def removal_of(text: str) -> str:
    """The commands at the end of a script, which its reader makes no comments any more."""
    head, last = text[: text.index("# 1. ")], text[text.index("# To take all of it away") :]
    return head + "\n".join(line.removeprefix("# ") for line in last.splitlines()[2:])


@pytest.mark.usefixtures("own_dlt")
class TestScript:
    def test_bash_and_shellcheck_read_it(self, text: str) -> None:
        assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
        shellcheck = Path(sys.executable).with_name("shellcheck")
        if not shellcheck.exists():
            pytest.skip("the group `examples` is not here")
        done = subprocess.run(
            [shellcheck, "--severity", "warning", "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "")

    def test_each_command_gets_its_words_whatever_is_in_them(self, calls: list[Call]) -> None:
        vectors = [words for words, _ in calls]
        account = f"{NAME}@{PROJECT}.iam.gserviceaccount.com"
        member = ("--member", f"serviceAccount:{account}")
        project = ("--project", PROJECT)
        schema = "`bills-project`.`finops`"
        grant = f"GRANT `{DATASET_ROLE}` ON SCHEMA {schema} TO {bigquery_text(member[1])}"
        assert [
            "gcloud", "iam", "service-accounts", "create", NAME, *project,
            "--display-name", "Loads the billing exports",
        ] in vectors  # fmt: skip
        for one in (PROJECT, "bills-project"):
            assert [
                "gcloud", "projects", "add-iam-policy-binding", one, *member,
                "--role", PROJECT_ROLE, "--condition", "None",
            ] in vectors  # fmt: skip
        for bucket in ("my-bucket", "other-bucket"):
            for role in BUCKET_ROLES:
                assert [
                    "gcloud", "storage", "buckets", "add-iam-policy-binding", f"gs://{bucket}",
                    *member, "--role", role,
                ] in vectors  # fmt: skip
        assert [
            "bq", "--project_id=bills-project", "query", "--use_legacy_sql=false",
            grant,
        ] in vectors  # fmt: skip
        assert f"--project_id={PROJECT}" in [words[1] for words in vectors if words[0] == "bq"]
        (built,) = [words for words in vectors if words[1:3] == ["builds", "submit"]]
        assert built[3] == str(ROOT)
        deployed = [words for words in vectors if "deploy" in words]
        assert [words[4] for words in deployed] == [NAME, f"{NAME}-check"]
        for words in deployed:
            assert words[words.index("--image") + 1] == built[built.index("--tag") + 1]
            assert words[words.index("--service-account") + 1] == account
            mounted = words[words.index("--set-secrets") + 1]
            assert mounted == f"/bills/.dlt/secrets.toml={NAME}-secrets:latest"
        loads, checks = (words[words.index("--args") + 1] for words in deployed)
        assert loads == "load,--log-format,json"
        assert checks == "status,--check,--max-age,36h"
        scheduled = [words for words in vectors if words[1:4] == ["scheduler", "jobs", "create"]]
        uris = [words[words.index("--uri") + 1] for words in scheduled]
        place = f"https://run.googleapis.com/v2/projects/{PROJECT}/locations/{REGION}/jobs"
        assert uris == [f"{place}/{NAME}:run", f"{place}/{NAME}-check:run"]
        assert vectors[-1] == [
            "gcloud", "run", "jobs", "execute", NAME, *project, "--region", REGION, "--wait"
        ]  # fmt: skip

    def test_google_reads_the_statements(
        self, text: str, calls: list[Call], tmp_path: Path, google_sql: GoogleSql
    ) -> None:
        removed = run(removal_of(text), tmp_path, is_there=True)
        statements = [words[-1] for words, _ in (*calls, *removed) if words[0] == "bq"]
        assert {statement.split()[0] for statement in statements} == {"GRANT", "REVOKE"}
        assert len(statements) == 2 * 3
        assert not [one for one in statements if google_sql.fault_of(one)]

    def test_a_second_run_creates_nothing_again(self, text: str, tmp_path: Path) -> None:
        vectors = [words for words, _ in run(text, tmp_path, is_there=True)]
        assert not [words for words in vectors if "create" in words]
        assert len([words for words in vectors if "update" in words]) == 2

    def test_no_secret_is_printed_or_an_argument(
        self, text: str, folder: Path, calls: list[Call]
    ) -> None:
        assert PASSWORD not in text
        assert not [words for words, _ in calls if PASSWORD in " ".join(words)]
        kept = [files["--data-file"] for _, files in calls if "--data-file" in files]
        assert kept == [(folder / ".dlt/secrets.toml").read_text()]

    def test_the_job_reads_from_its_variables_what_the_configuration_says(
        self, calls: list[Call], folder: Path, tmp_path: Path
    ) -> None:
        (given,) = {files["--env-vars-file"] for words, files in calls if "deploy" in words}
        variables = yaml.safe_load(given)
        assert all(isinstance(value, str) for value in variables.values())
        there, here = (
            json.loads(run_in(place, "config", "show", "--json", env=env).stdout)
            for place, env in ((tmp_path, variables), (folder, None))
        )
        expected = {
            (source["source"], key["key"]): key["value"]
            for source in here["sources"]
            for key in source["keys"]
            if key["key"] != "database" and not key["key"].startswith("credentials.")
        }
        expected |= {
            ("azure_billing", "bucket"): "my-bucket",
            ("azure_billing", "project_id"): PROJECT,
            ("azure_billing.monthly", "project_id"): PROJECT,
        }
        found = {
            (source["source"], key["key"]): key["value"]
            for source in there["sources"]
            for key in source["keys"]
            if key["key"] != "database"
        }
        assert found == expected

    def test_every_flag_is_one_that_its_command_has(
        self, texts: Mapping[str, str], calls: list[Call], tmp_path: Path
    ) -> None:
        text = texts["docker"]
        head, built = text[: text.index("# 1. ")], text[text.index("# 3. ") : text.index("# 4. ")]
        others = run(head + built + removal_of(text), tmp_path, is_there=True)
        assert [words[0] for words, _ in others][:3] == ["gcloud", "docker", "docker"]
        assert len(others) > 15
        for words, _ in (*calls, *others):
            line = " ".join(words)
            (known,) = {
                frozenset(flags)
                for command, flags in KNOWN.items()
                if line.startswith(f"{command} ")
            }
            flags = {word.partition("=")[0] for word in words if re.match(r"--[a-z_-]+(=|$)", word)}
            assert flags <= known | WIDE, line

    def test_what_is_created_is_removed(self, text: str) -> None:
        removal = text[text.index("# To take all of it away") :]
        for kind in ("scheduler jobs", "run jobs", "secrets", "artifacts repositories"):
            assert f"# gcloud {kind} delete" in removal
        given = re.findall(r"gcloud (projects|storage buckets) add-iam-policy-binding", text)
        taken = re.findall(r"gcloud (projects|storage buckets) remove-iam-policy-binding", removal)
        assert given == taken
        assert removal.count("REVOKE") == text.count("GRANT")


@pytest.mark.usefixtures("own_dlt")
class TestAlerts:
    def test_monitoring_reads_the_policies(self) -> None:
        monitoring = pytest.importorskip(
            "google.cloud.monitoring_v3", reason="the group `examples` is not here"
        )
        from google.protobuf.json_format import ParseDict

        for document in policies("cloudbill").values():
            policy = monitoring.AlertPolicy()
            ParseDict(document, policy._pb)  # noqa: SLF001 - what the client itself is made of
            (condition,) = policy.conditions
            is_of_log = bool(condition.condition_matched_log.filter)
            assert is_of_log != bool(condition.condition_threshold.filter)
            assert is_of_log == bool(policy.alert_strategy.notification_rate_limit)

    def test_the_one_for_held_runs_looks_at_what_a_load_writes(self, tmp_path: Path) -> None:
        configure(tmp_path, '[sources.azure_billing]\nbucket = "./no"\nexport_name = "x"\n')
        done = run_apart(tmp_path, "load", "--log-format", "json")
        last = json.loads(done.stdout.splitlines()[-1])
        held = json.dumps(policies("cloudbill")["held.json"])
        assert last["event"] == "finished"
        assert 'jsonPayload.event=\\"finished\\"' in held
        assert isinstance(last["exit_code"], int)
        assert "jsonPayload.exit_code=6" in held


class TestRefused:
    def read(self, **changed: ShownKey) -> object:
        plain = {
            "bucket": ShownKey(name="bucket", value="b", origin=Origin.FILE, where="config.toml"),
            "dataset": ShownKey(name="dataset", value="billing", origin=Origin.DEFAULT),
        }
        return read_source("aws_billing", {**plain, **changed}.values(), project="p", bucket="b")

    def test_a_plain_source_is_not(self) -> None:
        assert self.read()

    @pytest.mark.parametrize(
        ("name", "value", "where", "reason"),
        [
            ("notify", "https://example.com/hook", ".dlt/config.toml, [sources]", "everybody"),
            ("bucket", f"s3://b?{HIDDEN}", ".dlt/config.toml, [sources]", "a password"),
            ("bucket", HIDDEN, ".dlt/secrets.toml, [sources]", "config.toml"),
            ("project_id", HIDDEN, ".dlt/secrets.toml, [sources]", "config.toml"),
        ],
    )
    def test_what_would_be_seen_and_must_not_be(
        self, name: str, value: str, where: str, reason: str
    ) -> None:
        key = ShownKey(name=name, value=value, origin=Origin.FILE, where=where)
        with pytest.raises(ConfigError, match=reason):
            self.read(**{name: key})

    def test_a_secret_that_no_command_needs_stays_in_its_file(self) -> None:
        key = ShownKey(
            name="notify", value=HIDDEN, origin=Origin.FILE, where=".dlt/secrets.toml, [sources]"
        )
        assert self.read(notify=key) == self.read()

    def test_a_name_with_capitals(self) -> None:
        with pytest.raises(ConfigError, match="lower case"):
            read_source("aws_billing.Monthly", [], project="p", bucket="b")

    def test_a_folder_without_a_configuration(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output = tmp_path / "cloud-run.sh"
        assert main(["p", "r", "b", "--folder", str(tmp_path), "--output", str(output)]) == 2
        assert not output.exists()
        done = capsys.readouterr()
        assert done.out == ""
        assert "cloudbill init" in done.err


class TestPages:
    def test_the_roles_are_those_of_the_page_on_bigquery(self) -> None:
        page = (ROOT / "docs/bigquery.md").read_text()
        rows = re.findall(r"^\| `(roles/[\w.]+)` \| the (\w+) \|", page, re.MULTILINE)
        expected = [(PROJECT_ROLE, "project"), (DATASET_ROLE, "dataset")]
        assert rows[:4] == [*expected, *((role, "bucket") for role in BUCKET_ROLES)]

    @pytest.mark.skipif(shutil.which("uv") is None, reason="the recipe needs uv")
    def test_the_recipe_passes_words_with_blanks(self, folder: Path, tmp_path: Path) -> None:
        just = Path(sys.executable).with_name("just")
        output = tmp_path / ODD
        words = [just, "deploy-cloud-run", *WORDS[:3], "--folder", folder, "--output", output]
        assert subprocess.check_output(list(map(str, words)), cwd=ROOT) == b""
        written = output.read_text()
        assert written.startswith("#!/usr/bin/env bash\n")
        assert f"\nPROJECT={shlex.quote(PROJECT)}\n" in written
