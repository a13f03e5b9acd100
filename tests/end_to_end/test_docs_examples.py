"""The examples for schedulers: their commands run, and their files are what a scheduler reads."""

from __future__ import annotations

import ast
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from cloudbill.errors import ConfigError, HeldError
from cloudbill.text.exit_codes import highest_code
from documents import LOG_LINE, fits
from end_to_end.conftest import ROOT, configure
from end_to_end.imported import imported_command
from end_to_end.pages import blocks, cloudbill_words, unknown_words
from samples import write_azure

EXAMPLES = ROOT / "examples"
FILES = sorted(path for path in EXAMPLES.rglob("*") if path.is_file() and "/." not in str(path))
SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]
SCHEDULING, DEPLOY = ((ROOT / f"docs/{page}.md").read_text() for page in ("scheduling", "deploy"))


def example(name: str) -> str:
    """The text of an example."""
    return (EXAMPLES / name).read_text()


def read_yaml(name: str) -> dict[str, object]:
    """An example in YAML, where `on` is the word and not the truth value."""
    document = yaml.safe_load(example(name).replace("\non:", '\n"on":'))
    assert isinstance(document, dict)
    return document


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """What was written, of which every line is a JSON object that fits its schema."""
    found = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert all(fits(LOG_LINE if "event" in one else "status", one) for one in found), found
    return found


def linter(name: str) -> str:
    """A linter of the group `examples`."""
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        pytest.skip("the group `examples` is not here")
    return str(path)


def lint(name: str, *words: str | Path) -> None:
    """Lets a linter read something in which it finds nothing."""
    done = subprocess.run([linter(name), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class TestLoadScript:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder with one month that has two runs, and the script."""
        configure(
            tmp_path,
            '[sources.azure_billing]\nbucket = "./exports"\nprefix = "billing"\n'
            'export_name = "focus-daily"\n',
        )
        write_azure(tmp_path / "exports", months=1, rows=60, seed=4, runs_per_month=2)
        shutil.copy(EXAMPLES / "load.sh", tmp_path)
        return tmp_path

    def run(
        self, folder: Path, command: str = "./load.sh", *, shell: str = "/bin/sh"
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, "-c", command],
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

    def test_it_loads_and_notices_that_nothing_came_lately(self, folder: Path) -> None:
        done = self.run(folder)
        assert done.returncode == 8, done.stderr
        assert (folder / "cloudbill.duckdb").exists()
        *events, status, said, _ = lines(done)
        assert events[-1]["event"] == "finished"
        assert status["failures"]
        assert "longer ago than --max-age allows" in str(said["message"])
        assert "longer ago" not in done.stdout.splitlines()[-2]

    def test_where_all_is_well_it_writes_nothing_to_stderr(self, folder: Path) -> None:
        script = (folder / "load.sh").read_text()
        (folder / "load.sh").write_text(script.replace("36h", "9999d"))
        done = self.run(folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert lines(done)[-1]["failures"] == []

    def test_a_run_that_is_held_is_named_with_its_reason_and_hides_no_export_that_has_stopped(
        self, folder: Path
    ) -> None:
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
        assert done.returncode == 8, done.stderr
        assert lines(done)
        mailed = [str(json.loads(line)["message"]) for line in done.stderr.splitlines()]
        (held,) = [message for message in mailed if " is held: " in message]
        assert re.search(r"Run [\w-]{36} of 2025-\d\d is held: it covers .* covers ", held)
        assert "`cloudbill accept 2025-" in held
        assert [message for message in mailed if "longer ago than --max-age" in message]

    def test_a_failure_ends_it_with_its_own_code(self, folder: Path) -> None:
        shutil.rmtree(folder / "exports")
        done = self.run(folder)
        assert done.returncode == 4
        assert {"StoreError"} == {one.get("error") for one in lines(done)} - {None}
        assert json.loads(done.stdout.splitlines()[-1])["failures"]

    def test_its_code_is_the_worse_of_load_and_check(self, tmp_path: Path) -> None:
        (tmp_path / "cloudbill").write_text('#!/bin/sh\n[ $1 = load ] && exit "$L"\nexit "$C"\n')
        (tmp_path / "cloudbill").chmod(0o755)
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        for load, check in itertools.product((0, 4, 6, 8), repeat=2):
            env = {"PATH": path, "L": str(load), "C": str(check)}
            done = subprocess.run(["/bin/sh", EXAMPLES / "load.sh"], env=env, check=False)
            assert done.returncode == highest_code([load, check]), (load, check)

    @pytest.mark.parametrize("shell", SHELLS)
    def test_text_becomes_json_in_every_shell(self, shell: str, tmp_path: Path) -> None:
        shutil.copy(EXAMPLES / "load.sh", tmp_path)
        odd = 'a "quoted" \\ back\tslash \x01 é'
        document = json.dumps({"sources": [{"deep": "x  y"}], "event": None}, indent=2)
        (tmp_path / "said").write_text(f"{odd}\n{document}\n\n  no end")
        command = tmp_path / "cloudbill"
        command.write_text("#!/bin/sh\ncat said\ncat said >&2\n[ $1 = load ] || exit 8\n")
        command.chmod(0o755)
        done = subprocess.run(
            [shell, "load.sh"],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 8
        for stream in (done.stdout, done.stderr):
            written = [json.loads(line) for line in stream.splitlines()]
            messages = [one["message"] for one in written if one.get("event")]
            assert messages == ['a "quoted" \\ back slash  é', "  no end"] * 2
            assert written[1] == json.loads(document)

    def test_where_there_is_no_command_it_says_so_and_ends_with_127(self, tmp_path: Path) -> None:
        (tmp_path / "bin").mkdir()
        for name in ("date", "sed", "tr"):
            (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
        done = subprocess.run(
            ["/bin/sh", EXAMPLES / "load.sh"],
            env={"PATH": str(tmp_path / "bin")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (127, "")
        (said,) = lines(done)
        assert "PATH" in str(said["message"])

    @pytest.mark.parametrize("shell", SHELLS)
    def test_a_stop_of_all_its_processes_loses_no_line(self, shell: str, tmp_path: Path) -> None:
        command = tmp_path / "cloudbill"
        last = json.dumps({"event": "finished"})
        command.write_text(
            "#!/bin/sh\ntrap 'sleep 0.2; echo \"$LAST\"; echo why >&2; exit 130' TERM\n"
            'echo \'{"event": "load_started"}\'\nwhile :; do sleep 0.05; done\n'
        )
        command.chmod(0o755)
        with subprocess.Popen(
            [shell, EXAMPLES / "load.sh"],
            env={
                **os.environ,
                "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
                "LAST": last,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as script:
            assert script.stdout is not None
            assert script.stderr is not None
            assert json.loads(script.stdout.readline())["event"] == "load_started"
            os.killpg(script.pid, signal.SIGTERM)
            assert script.stdout.read() == f"{last}\n"
            # The shell of the command may say before that its `sleep` was stopped.
            *_, said = map(json.loads, script.stderr.read().splitlines())
            assert said["message"] == "why"

    def test_shellcheck_finds_nothing(self) -> None:
        lint("shellcheck", EXAMPLES / "load.sh")

    def test_the_line_of_cron_runs_it(self, folder: Path) -> None:
        (line,) = [line for line in example("crontab").splitlines() if line[:1].isdigit()]
        times = re.fullmatch(r"(\S+ \S+ \S+ \S+ \S+) (.*)", line)
        assert times
        # cron would end the command there.
        assert "%" not in times[2]
        done = self.run(folder, times[2].replace("/srv/bills", str(folder)))
        assert done.returncode == 8
        assert (folder / "load.log").read_text()


class TestTimes:
    def test_cron_reads_those_of_every_example_and_they_are_one(self) -> None:
        cronsim = pytest.importorskip("cronsim", reason="the group `examples` is not here")
        workflow = read_yaml("github-actions.yml")
        found = [
            workflow["on"]["schedule"][0]["cron"],  # type: ignore[index]
            read_yaml("kubernetes.yaml")["spec"]["schedule"],  # type: ignore[index]
            *re.findall(r'schedule="(.*?)"', example("airflow_bills.py")),
            *re.findall(r'schedule="(.*?)"', example("dagster_bills.py")),
            " ".join(example("crontab").splitlines()[-1].split()[:5]),
        ]
        assert len(found) == 5
        began = datetime(2026, 2, 27, tzinfo=UTC)
        for text in found:
            times = cronsim.CronSim(text, began)
            assert [f"{next(times):%m-%d %H:%M}" for _ in range(3)] == [
                *("02-27 06:15", "02-28 06:15", "03-01 06:15")
            ]
        assert "OnCalendar=*-*-* 06:15:00\n" in example("systemd/cloudbill.timer")


class TestKubernetes:
    def test_kubernetes_knows_every_field(self) -> None:
        validate = pytest.importorskip(
            "kubernetes_validate", reason="the group `examples` is not here"
        )
        for version in ("1.31", "1.37"):
            validate.validate(read_yaml("kubernetes.yaml"), version, strict=True)

    def test_it_loads_as_the_user_of_the_image_and_tries_nothing_again_in_vain(self) -> None:
        job = read_yaml("kubernetes.yaml")["spec"]["jobTemplate"]["spec"]  # type: ignore[index]
        pod = job["template"]["spec"]
        (container,) = pod["containers"]
        assert not unknown_words(container["args"])
        dockerfile = (ROOT / "Dockerfile").read_text()
        context = pod["securityContext"]
        assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile
        assert {volume["name"] for volume in pod["volumes"]} == {
            mount["name"] for mount in container["volumeMounts"]
        }
        for mount in container["volumeMounts"]:
            place = mount["mountPath"].removesuffix("/.dlt")
            assert place == "/tmp" or place in dockerfile  # noqa: S108
        (rule,) = job["podFailurePolicy"]["rules"]
        assert rule["onExitCodes"]["values"] == [ConfigError.exit_code, HeldError.exit_code]
        assert rule["onExitCodes"]["containerName"] == container["name"]

    def test_its_memory_is_half_as_much_again_as_the_most_that_was_measured(self) -> None:
        job = read_yaml("kubernetes.yaml")["spec"]["jobTemplate"]["spec"]  # type: ignore[index]
        limit = job["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
        figures = json.loads((ROOT / "benchmarks/results.json").read_text())["figures"]
        peaks = [
            figure["runs"][side]["peak_bytes"]["high"]
            for figure in figures
            for side in {"cloudbill", "far", "larger", "load", "totals_on"} & {*figure["runs"]}
        ]
        assert len(peaks) > 10
        assert int(limit.removesuffix("Gi")) * 2**30 > 1.5 * max(peaks)


class TestGitHubActions:
    def test_github_knows_every_key_and_nothing_is_left_open(self) -> None:
        workflow = EXAMPLES / "github-actions.yml"
        lint("check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)
        lint("zizmor", "--offline", "--no-progress", "--min-severity", "low", workflow)

    def test_its_steps_are_scripts_whose_commands_exist(self) -> None:
        workflow = read_yaml("github-actions.yml")
        assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}  # type: ignore[call-overload]
        steps = workflow["jobs"]["load"]["steps"]  # type: ignore[index]
        scripts = [step["run"] for step in steps if "run" in step]
        commands = [words for script in scripts for words in cloudbill_words(script)]
        assert [words[0] for words in commands] == ["load", "status"]
        assert not [words for words in commands if unknown_words(words)]
        for script in scripts:
            assert "${{" not in script
            done = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
            assert done.returncode == 0

    def test_the_check_runs_after_a_load_that_failed_and_not_without_cloudbill(self) -> None:
        steps = read_yaml("github-actions.yml")["jobs"]["load"]["steps"]  # type: ignore[index]
        (install,) = [step["id"] for step in steps if "pip install" in step.get("run", "")]
        assert steps[-1]["if"] == f"${{{{ !cancelled() && steps.{install}.outcome == 'success' }}}}"

    def test_each_exit_code_ends_the_step_and_a_held_run_is_named(self, tmp_path: Path) -> None:
        steps = read_yaml("github-actions.yml")["jobs"]["load"]["steps"]  # type: ignore[index]
        (script,) = [step["run"] for step in steps if "exit" in step.get("run", "")]
        command = tmp_path / "cloudbill"
        for code, said in ((0, ""), (5, "cloudbill explain 5"), (6, "A run is held")):
            command.write_text(f"#!/bin/sh\nexit {code}\n")
            command.chmod(0o755)
            done = subprocess.run(
                ["bash", "-e", "-c", script],
                env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code
            assert said in done.stdout
            assert ("::error::" in done.stdout) == (code != 0)


class TestPython:
    """`just check-examples` lets Airflow and Dagster themselves read and run them."""

    @pytest.mark.parametrize("name", ["airflow_bills.py", "dagster_bills.py"])
    def test_every_command_in_it_exists(self, name: str) -> None:
        lists = [
            [str(ast.literal_eval(word)) for word in node.elts if isinstance(word, ast.Constant)]
            for node in ast.walk(ast.parse(example(name)))
            if isinstance(node, ast.List)
        ]
        found = [words[1:] if words[:1] == ["cloudbill"] else words for words in lists]
        commands = [words for words in found if words and words[0] in {"load", "status"}]
        assert [words[0] for words in commands] == ["load", "status"]
        assert not [word for words in commands for word in unknown_words(words)]

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
        assert f"../{path.relative_to(ROOT).as_posix()}" in SCHEDULING + DEPLOY

    def test_the_line_of_cron_is_that_of_the_file(self) -> None:
        shown = next(b.text for b in blocks("text") if "load.sh" in b.text)
        kept = [line for line in example("crontab").splitlines() if not line.startswith("#")]
        assert shown.splitlines() == kept
