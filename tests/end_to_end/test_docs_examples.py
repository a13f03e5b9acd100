"""The examples for schedulers: their commands run, and their files are what a scheduler reads."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from cloudbill.settings.keys import KEYS
from end_to_end.conftest import ROOT, configure
from end_to_end.imported import imported_command
from end_to_end.pages import blocks, cloudbill_words, unknown_words
from samples import write_azure

EXAMPLES = ROOT / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and "/." not in str(path))
SCHEDULING = (ROOT / "docs/scheduling.md").read_text()


def example(name: str) -> str:
    """The text of an example."""
    return (EXAMPLES / name).read_text()


def read_yaml(name: str) -> dict[str, object]:
    """An example in YAML, where `on` is the word and not the truth value."""
    document = yaml.safe_load(example(name).replace("\non:", '\n"on":'))
    assert isinstance(document, dict)
    return document


class TestLoadScript:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with one month that has one run, and the script."""
        configure(
            tmp_path,
            '[sources.azure_billing]\nbucket = "./exports"\nprefix = "billing"\n'
            'export_name = "focus-daily"\n',
        )
        write_azure(tmp_path / "exports", months=1, rows=60, seed=4, runs_per_month=2)
        shutil.copy(EXAMPLES / "load.sh", tmp_path)
        return tmp_path

    def run(self, folder: Path, command: str = "./load.sh") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env={
                **os.environ,
                "PATH": f"{imported_command().parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def runs(self, folder: Path) -> list[Path]:
        """The manifests, the oldest first."""
        return sorted(
            folder.rglob("manifest.json"),
            key=lambda path: str(json.loads(path.read_text())["runInfo"]["submittedTime"]),
        )

    def test_it_loads_writes_lines_of_json_and_notices_that_nothing_came_lately(
        self, folder: Path
    ) -> None:
        done = self.run(folder)
        assert done.returncode == 8, done.stderr
        assert (folder / "cloudbill.duckdb").exists()
        logged = [line for line in (done.stdout + done.stderr).splitlines() if line[:1] == "{"]
        assert logged
        assert all(isinstance(json.loads(line), dict) for line in logged)

    def test_a_run_that_is_held_ends_it_with_6_and_a_word(self, folder: Path) -> None:
        narrow, full = self.runs(folder)
        away = folder / "away"
        narrow.parent.rename(away)
        assert self.run(folder, "cloudbill load --quiet").returncode == 0
        # The run that covers half of the month comes again, as the newest.
        manifest = json.loads((away / "manifest.json").read_text())
        newest = json.loads(full.read_text())["runInfo"]["submittedTime"]
        manifest["runInfo"]["submittedTime"] = newest.replace("2025-", "2026-")
        (away / "manifest.json").write_text(json.dumps(manifest))
        away.rename(narrow.parent)
        done = self.run(folder)
        assert done.returncode == 6, done.stderr
        assert "cloudbill accept" in done.stderr

    def test_a_failure_ends_it_with_its_own_code(self, folder: Path) -> None:
        shutil.rmtree(folder / "exports")
        assert self.run(folder).returncode == 4

    def test_the_line_of_cron_runs_it(self, folder: Path) -> None:
        (line,) = [line for line in example("crontab").splitlines() if line[:1].isdigit()]
        times = re.fullmatch(r"(\S+ \S+ \S+ \S+ \S+) (.*)", line)
        assert times
        done = self.run(folder, times[2].replace("/srv/bills", str(folder)))
        assert done.returncode == 8
        assert (folder / "load.log").read_text()


class TestSystemd:
    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
    def test_the_units_are_what_systemd_reads(self, tmp_path: Path) -> None:
        shutil.copy(EXAMPLES / "load.sh", tmp_path)
        for name in ("cloudbill.service", "cloudbill.timer"):
            text = example(f"systemd/{name}").replace("/srv/bills", str(tmp_path))
            (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "./cloudbill.service", "./cloudbill.timer"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_service_runs_the_script_in_its_folder(self) -> None:
        service = example("systemd/cloudbill.service")
        assert "WorkingDirectory=/srv/bills\n" in service
        assert "ExecStart=/srv/bills/load.sh\n" in service


class TestCloudRun:
    def test_the_job_loads_with_keys_that_exist(self) -> None:
        job = read_yaml("cloud-run/job.yaml")
        assert (job["apiVersion"], job["kind"]) == ("run.googleapis.com/v1", "Job")
        inner = job["spec"]["template"]["spec"]["template"]["spec"]  # type: ignore[index]
        (container,) = inner["containers"]
        assert not unknown_words(container["args"])
        keys = {key.name for key in KEYS}
        for variable in container["env"]:
            assert variable["name"].removeprefix("SOURCES__AZURE_BILLING__").lower() in keys

    def test_the_image_has_the_command_as_its_entry(self) -> None:
        text = example("cloud-run/Dockerfile")
        assert 'ENTRYPOINT ["cloudbill"]' in text
        assert "[bigquery]" in text


class TestGitHubActions:
    def test_its_steps_are_scripts_whose_commands_exist(self) -> None:
        workflow = read_yaml("github-actions.yml")
        assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}  # type: ignore[call-overload]
        steps = workflow["jobs"]["load"]["steps"]  # type: ignore[index]
        scripts = [step["run"] for step in steps if "run" in step]
        commands = [words for script in scripts for words in cloudbill_words(script)]
        assert [words[0] for words in commands] == ["load", "status"]
        for script in scripts:
            plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
            done = subprocess.run(["bash", "-n"], input=plain, text=True, check=False)
            assert done.returncode == 0

    def test_a_held_run_is_a_warning_and_any_other_code_ends_the_step(self, tmp_path: Path) -> None:
        steps = read_yaml("github-actions.yml")["jobs"]["load"]["steps"]  # type: ignore[index]
        (script,) = [step["run"] for step in steps if "exit" in step.get("run", "")]
        command = tmp_path / "cloudbill"
        for code, expected in ((0, 0), (5, 5), (6, 0)):
            command.write_text(f"#!/bin/sh\nexit {code}\n")
            command.chmod(0o755)
            done = subprocess.run(
                ["bash", "-eo", "pipefail", "-c", script],
                env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == expected
            assert ("::warning::" in done.stdout) == (code == 6)


class TestPython:
    @pytest.mark.parametrize("name", ["airflow_bills.py", "dagster_bills.py"])
    def test_every_command_in_it_exists(self, name: str) -> None:
        tree = ast.parse(example(name))
        found = [
            str(ast.literal_eval(node.value)).split()
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == "bash_command"
        ]
        found += [
            [str(ast.literal_eval(element)) for element in node.elts]
            for node in ast.walk(tree)
            if isinstance(node, ast.List) and "'cloudbill'" in ast.unparse(node)
        ]
        assert {words.pop(0) for words in found} == {"cloudbill"}
        assert "load" in [words[0] for words in found]
        assert not [word for words in found for word in unknown_words(words)]

    def test_the_page_shows_what_the_files_have(self) -> None:
        shown = [block.text for block in blocks("python") if block.page == "docs/scheduling.md"]
        assert len(shown) == 2
        whole = [without_indents(example(f"{name}_bills.py")) for name in ("airflow", "dagster")]
        for text, file in zip(shown, whole, strict=True):
            assert without_indents(text) in file


def without_indents(text: str) -> str:
    """Lines without what stands before them."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


class TestPage:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_every_example_is_named_on_the_page(self, path: Path) -> None:
        assert f"../{path.relative_to(ROOT).as_posix()}" in SCHEDULING

    def test_the_line_of_cron_is_that_of_the_file(self) -> None:
        shown = next(b.text for b in blocks("text") if "load.sh" in b.text)
        kept = [line for line in example("crontab").splitlines() if not line.startswith("#")]
        assert shown.splitlines() == kept
