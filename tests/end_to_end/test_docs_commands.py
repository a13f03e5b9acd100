"""Every command of the README and the pages runs, or is checked where it needs a cloud.

The blocks of a page run one after another in a copy of the project, as a reader would run them.
There `pip` installs nothing and `uv run` runs what is installed already; nothing reaches a network.
A block of nothing but commands with plain words needs no shell, and runs in this process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import ROOT, configure, run_apart, run_in
from end_to_end.imported import imported_command
from end_to_end.pages import Block, blocks, cloudbill_words, documents_of, unknown_words

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

# Blocks that do not run here, by page and first line, each with what they need.
FIRST = "docs/getting-started.md"
NEEDS_A_CLOUD = "docs/bigquery.md"
NOT_RUN = {
    (
        "docs/connect.md",
        'duckdb -readonly cloudbill.duckdb "SELECT * FROM billing.focus LIMIT 5"',
    ): "the command line of DuckDB",
    ("README.md", "pip install uv && uv run --group dev pytest"): "these tests; CI runs it",
    (
        "README.md",
        "pip install 'cloudbill[bigquery]'    # gs:// and BigQuery; also: s3, az, gs",
    ): "answers from a person",
    (
        "docs/getting-started.md",
        "pip install 'cloudbill[bigquery]'    # gs:// and BigQuery; also: s3, az, gs",
    ): "answers from a person",
    (
        "docs/getting-started.md",
        "sudo apt install pipx    # or: brew install pipx",
    ): "a system's packages",
    (
        "docs/getting-started.md",
        "python3 -m venv ~/.venvs/uv && ~/.venvs/uv/bin/pip install uv",
    ): "a registry of packages",
    ("docs/scheduling.md", "systemctl daemon-reload"): "systemd",
    ("docs/scheduling.md", "/usr/bin/python3 -m venv /opt/cloudbill"): "a machine of its own",
    ("docs/deploy.md", "docker build --tag cloudbill ."): "a builder of images",
    (
        "docs/deploy.md",
        (
            "uvx --from rust-just just deploy-cloud-run my-project europe-west1 my-billing-bucket "
            "--output cloud-run.sh"
        ),
    ): "the whole project; test_docs_cloud_run.py runs it",
    ("docs/deploy.md", "bash cloud-run.sh"): "a cloud",
    (
        "docs/deploy.md",
        "kubectl create configmap cloudbill --from-file=.dlt/config.toml",
    ): "a cluster",
}
# Blocks that end with another code than 0, and why.
ENDS_WITH = {
    # The sample exports are of a year that has gone by, so they are stale.
    ("docs/scheduling.md", "cd /srv/bills     # with .dlt/config.toml"): 8,
}
SHIMS = {
    "pip": '[ "$1" = install ]',
    "uv": '[ "$1" = run ] || exit 64\nshift\n'
    'case "$1" in *.py) exec python "$@" ;; *) exec "$@" ;; esac',
}

EMULATED = "US-CENTRAL1"
"""Where the emulated buckets are, and so the dataset must be."""

BLOCKS = blocks("sh")


def is_run(block: Block) -> bool:
    """Whether a block needs nothing that is not here."""
    return block.page != NEEDS_A_CLOUD and block.key not in NOT_RUN


RUN = [page for page in dict.fromkeys(b.page for b in BLOCKS) if page != NEEDS_A_CLOUD]


def make_clone(folder: Path) -> Path:
    """A copy of what a clone of the project has, without the environment."""
    folder.mkdir()
    for name in ("main.py", ".dlt/config.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "sample_exports", folder / "sample_exports")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "examples/load.sh", folder / "load.sh")
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which nothing was done yet."""
    return make_clone(tmp_path / "clone")


@pytest.fixture(scope="module")
def loaded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which its sample bill was loaded."""
    folder = make_clone(tmp_path_factory.mktemp("loaded") / "clone")
    assert run_apart(folder, "load", "--quiet").returncode == 0
    return folder


@pytest.fixture
def loaded(tmp_path: Path, loaded_once: Path) -> Path:
    """The same for one test, which may change it."""
    return shutil.copytree(loaded_once, tmp_path / "loaded")


@pytest.fixture
def shell_env(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell in which nothing is installed, opened or fetched."""
    home = tmp_path / "bin"
    home.mkdir()
    for name, text in SHIMS.items():
        (home / name).write_text(f"#!/bin/sh\n{text}\n")
        (home / name).chmod(0o755)
    places = (home, imported_command().parent, Path(sys.executable).parent)
    path = os.pathsep.join([*map(str, places), os.environ["PATH"]])
    nowhere = "http://127.0.0.1:9"
    return {
        **os.environ,
        "PATH": path,
        "HOME": str(tmp_path),
        "BROWSER": "true",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
    }


def shell(text: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a block as a shell would that stops at the first failure."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


PLAIN = re.compile(r"(?:uv run )?cloudbill((?: [\w./-]+)*)")
IN_A_BROWSER = "--open"


def plain_commands(block: Block) -> list[list[str]]:
    """The words of the commands of a block, if that is all it has and a shell would change none."""
    found = [PLAIN.fullmatch(line) for line in block.text.splitlines()]
    words = [one[1].split() for one in found if one is not None]
    return words if len(words) == len(found) and IN_A_BROWSER not in block.text else []


def run_here(
    commands: list[list[str]], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs commands until one fails."""
    done = subprocess.CompletedProcess[str]((), 0, "", "")
    for words in commands:
        done = run_in(folder, *words, env=env)
        if done.returncode:
            break
    return done


def run_block(
    block: Block, folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Runs a block from a folder, in a shell if it needs one."""
    plain = plain_commands(block)
    return run_here(plain, folder, env) if plain else shell(block.text, folder, env)


def run_blocks(page: str, clone: Path, env: Mapping[str, str]) -> None:
    """Runs the blocks of a page in their order, each from the folder of the clone."""
    for block in (block for block in BLOCKS if block.page == page and is_run(block)):
        here = replace(block, text=block.text.replace("/srv/bills", str(clone)))
        done = run_block(here, clone, env)
        expected = ENDS_WITH.get(block.key, 0)
        assert done.returncode == expected, f"{block}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("own_dlt")
class TestRun:
    @pytest.mark.parametrize("page", [page for page in RUN if page != FIRST])
    def test_every_block_of_a_page_runs(
        self, page: str, loaded: Path, shell_env: dict[str, str]
    ) -> None:
        # It is read after something was loaded.
        run_blocks(page, loaded, shell_env)

    def test_getting_started_leads_from_nothing_to_the_report_of_the_sample_bill(
        self, clone: Path, shell_env: dict[str, str]
    ) -> None:
        run_blocks(FIRST, clone, shell_env)
        report = (clone / "report.html").read_text()
        for source, currency in (("azure_billing", "EUR"), ("aws_billing", "USD")):
            assert source in report
            assert currency in report

    def test_a_block_that_fails_is_noticed(self, clone: Path, shell_env: dict[str, str]) -> None:
        assert shell("cloudbill load --no-such-option\ntrue", clone, shell_env).returncode == 2

    def test_a_block_that_a_shell_would_change_is_not_plain(self) -> None:
        def commands(text: str) -> list[list[str]]:
            return plain_commands(Block(page="a page", language="sh", text=text))

        assert commands("cloudbill load\nuv run cloudbill status --check\n") == [
            ["load"],
            ["status", "--check"],
        ]
        for text in ("cloudbill load && true", "cloudbill load $X", "cloudbill load\nmkdir a"):
            assert commands(text) == []

    def test_a_plain_command_that_fails_is_noticed(
        self, clone: Path, shell_env: dict[str, str]
    ) -> None:
        done = run_here([["load", "--no-such-option"], ["status"]], clone, shell_env)
        assert done.returncode == 2

    def test_no_list_names_a_block_that_is_gone(self) -> None:
        keys = {block.key for block in BLOCKS}
        assert set(NOT_RUN) | set(ENDS_WITH) <= keys


class TestNotRun:
    @pytest.mark.parametrize("block", BLOCKS, ids=str)
    def test_a_block_is_a_script_that_bash_can_read(self, block: Block) -> None:
        done = subprocess.run(
            ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize("block", BLOCKS, ids=str)
    def test_every_word_of_a_command_exists(self, block: Block) -> None:
        for words in cloudbill_words(block.text):
            assert not unknown_words(words), words

    @pytest.mark.parametrize("block", BLOCKS, ids=str)
    def test_every_extra_can_be_installed(self, block: Block) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for extras in re.findall(r"pip install '[^'\[]*\[([\w,]+)\]'", block.text):
            assert set(extras.split(",")) <= set(project["optional-dependencies"])

    @pytest.mark.parametrize(
        ("name", "text"),
        [document for block in BLOCKS for document in documents_of(block.text)],
        ids=lambda value: value if value.endswith(".json") else "",
    )
    def test_every_document_that_a_block_writes_is_json(self, name: str, text: str) -> None:
        assert name.endswith(".json")
        assert json.loads(text)

    def test_the_report_of_aws_is_defined_as_aws_asks_for(self) -> None:
        from botocore import session
        from botocore.validate import ParamValidator

        text = document("report.json")
        shape = (
            session.get_session()
            .get_service_model("cur")
            .operation_model("PutReportDefinition")
            .input_shape
        )
        definition = {"ReportDefinition": json.loads(text)}
        assert not ParamValidator().validate(definition, shape).has_errors()
        members = shape.members["ReportDefinition"].members
        for name, value in definition["ReportDefinition"].items():
            allowed = getattr(members[name], "enum", None)
            assert not allowed or value in allowed, name

    @pytest.mark.parametrize("name", ["cur2.json", "focus.json"])
    def test_the_data_exports_of_aws_are_defined_as_aws_asks_for(self, name: str) -> None:
        from botocore import session
        from botocore.validate import ParamValidator

        model = session.get_session().get_service_model("bcm-data-exports")
        definition = {"Export": json.loads(document(name))}
        shape = model.operation_model("CreateExport").input_shape
        assert not ParamValidator().validate(definition, shape).has_errors()
        export = definition["Export"]
        output = export["DestinationConfigurations"]["S3Destination"]["S3OutputConfigurations"]
        allowed = model.shape_for("S3OutputConfigurations").members
        assert all(value in allowed[key].enum for key, value in output.items())
        table = export["DataQuery"]["QueryStatement"].rpartition(" FROM ")[2]
        assert {*export["DataQuery"].get("TableConfigurations", {table: {}})} == {table}

    def test_the_keys_of_a_transfer_are_in_files_that_are_removed(self) -> None:
        script = "".join(block.text for block in BLOCKS if block.page == NEEDS_A_CLOUD)
        for name in re.findall(r"--source-creds-file=(\S+)", script):
            assert f"rm {name}" in script


def document(name: str) -> str:
    """The one document of that name that the pages write."""
    (text,) = [text for block in BLOCKS for file, text in documents_of(block.text) if file == name]
    return text


def create_dataset(cloud: Cloud) -> None:
    """Does what `bq mk` does on the page."""
    from google.cloud import bigquery

    dataset = bigquery.Dataset("my-project.finops")
    dataset.location = EMULATED
    cloud.bigquery.client("my-project").create_dataset(dataset)


@pytest.mark.usefixtures("own_dlt")
class TestBigQuery:
    """The last steps of the page, on emulators."""

    def test_the_configuration_of_the_page_loads_what_the_transfers_bring(
        self, cloud: Cloud, tmp_path: Path, shell_env: dict[str, str]
    ) -> None:
        config, *_ = [b.text for b in blocks("toml") if b.page == NEEDS_A_CLOUD]
        (script,) = [b for b in BLOCKS if b.page == NEEDS_A_CLOUD and "doctor" in b.text]
        configure(tmp_path, config.replace('"EU"', f'"{EMULATED}"'))
        shutil.copytree(ROOT / "sample_exports", tmp_path / "exports")
        cloud.gcs.create_bucket("my-billing-bucket")
        exports = tmp_path / "exports"
        cloud.gcs.upload_tree(exports / "azure/billing", "my-billing-bucket", "azure/focus")
        cloud.gcs.upload_tree(exports / "aws", "my-billing-bucket", "aws")
        emulators = {
            "STORAGE_EMULATOR_HOST": cloud.gcs.url,
            "BIGQUERY_EMULATOR_HOST": cloud.bigquery.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        create_dataset(cloud)
        done = run_block(script, tmp_path, {**shell_env, **emulators})
        assert done.returncode == 0, done.stdout + done.stderr
        client = cloud.bigquery.client("my-project")
        for table in ("azure_focus_billing_data", "aws_cur_billing_data"):
            assert client.get_table(f"finops.{table}").num_rows == 450
