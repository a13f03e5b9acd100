"""The image: what a builder gets to see, and the steps of the Dockerfile."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths

from end_to_end.conftest import ROOT

PACKAGE = "src/cloudbill"
SENT_ALWAYS = {"Dockerfile", ".dockerignore"}
KEPT = {"LICENSE", "README.md", "pyproject.toml"}
SECRET = "not-for-a-builder"  # noqa: S105 - it is planted
NAMES = ("credentials", "id_rsa", "key.json", "secrets.toml", ".env", ".secrets.py", "a.py/secret")
"""Names with and without dots; the last is in a folder that is called like a module."""
PLANTED = (
    ".dlt/config.toml",
    ".dlt/secrets.toml",
    ".env",
    ".git/config",
    ".netrc",
    "bills.duckdb",
    "bills.duckdb.wal",
    "cloudbill.duckdb",
    "export/azure/2025-10.parquet",
    "exports/azure/billing/manifest.json",
    "key.json",
    "report.html",
    "service-account.json",
    f"{PACKAGE}/.dlt/secrets.toml",
    f"{PACKAGE}/.env.py/secrets.py",
    f"{PACKAGE}/cloudbill.duckdb",
    f"{PACKAGE}/focus/data/2025-10.csv",
    f"{PACKAGE}/report/program/export.csv",
    f"{PACKAGE}/report/report.html",
    f"{PACKAGE}/sample/exports/part-0.csv.gz",
    f"{PACKAGE}/new/secret",
    *(
        f"{folder.relative_to(ROOT)}/{name}"
        for folder in (ROOT / "src", *(ROOT / "src").rglob("*"))
        if folder.is_dir() and folder.name != "__pycache__"
        for name in NAMES
    ),
)
MOVED = ("/build", "/opt/cloudbill", "/bills", "/home/cloudbill")
"""Folders of the image, which lie in a scratch folder where its steps are tried."""
SOMEBODY = 10001


def files_below(folder: Path) -> set[str]:
    """The files below a folder, as paths from it, without caches of Python."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, in which somebody has worked: with secrets, bills and a history."""
    copy = tmp_path_factory.mktemp("image") / "clone"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "site")
    shutil.copytree(ROOT, copy, ignore=left_out)
    for name in (".dockerignore", ".gcloudignore", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    for name in PLANTED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(SECRET)
    return copy


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    """What an image is built from."""
    package = {f"{PACKAGE}/{name}" for name in files_below(ROOT / PACKAGE)}
    return KEPT | SENT_ALWAYS | package


def docker_context(clone: Path) -> set[str]:
    """The files that a builder is sent, by the client of Docker."""
    rules = (clone / ".dockerignore").read_text().splitlines()
    read = [line.strip() for line in rules if line.strip() and not line.startswith("#")]
    return {name for name in exclude_paths(str(clone), read) if (clone / name).is_file()}


def gcloud_context(clone: Path) -> set[str]:
    """The files that `gcloud builds submit` uploads: its rules are those of git."""
    # What was planted as the history of the clone is no repository for git.
    plain = clone.with_name("plain")
    shutil.copytree(clone, plain, ignore=shutil.ignore_patterns(".git"))
    subprocess.run(["git", "init", "--quiet", plain], check=True)
    command = ["git", "ls-files", "--others", "-z", "--exclude-from=.gcloudignore"]
    done = subprocess.run(command, cwd=plain, check=True, capture_output=True, text=True)
    return set(done.stdout.split("\0")) - {""}


class TestContext:
    @pytest.mark.parametrize("context", [docker_context, gcloud_context])
    def test_a_builder_gets_what_it_needs_and_neither_secrets_nor_bills(
        self, context: object, clone: Path, wanted: set[str]
    ) -> None:
        assert callable(context)
        sent = context(clone)
        assert not sent & set(PLANTED)
        assert sent == wanted
        assert not [name for name in sent if SECRET in (clone / name).read_text()]

    def test_all_that_is_planted_would_be_sent_without_the_rules(self, clone: Path) -> None:
        assert set(PLANTED) <= set(exclude_paths(str(clone), []))


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their values."""
    parse = pytest.importorskip("dockerfile_parse", reason="the group `examples` is not here")
    with (ROOT / "Dockerfile").open("rb") as file:
        read = parse.DockerfileParser(fileobj=file).structure
    return [(one["instruction"], one["value"]) for one in read if one["instruction"] != "COMMENT"]


def values(steps: list[tuple[str, str]], instruction: str) -> list[str]:
    """The values of every instruction of a kind."""
    return [value for name, value in steps if name == instruction]


def copied(value: str) -> tuple[list[str], str]:
    """The sources of a COPY and its target."""
    *sources, target = value.split()
    return sources, target


class TestDockerfile:
    def test_the_linter_finds_nothing(self) -> None:
        hadolint = Path(sys.executable).with_name("hadolint")
        if not hadolint.exists():
            pytest.skip("the group `examples` is not here")
        done = subprocess.run(
            [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")

    def test_everything_that_it_copies_is_there(
        self, steps: list[tuple[str, str]], wanted: set[str]
    ) -> None:
        sources = [
            source
            for value in values(steps, "COPY")
            if not value.startswith("--from")
            for source in copied(value)[0]
        ]
        assert {source for source in sources if source != PACKAGE} == KEPT
        assert PACKAGE in sources
        assert wanted - SENT_ALWAYS - KEPT

    def test_bases_and_tools_have_exact_versions(self, steps: list[tuple[str, str]]) -> None:
        arguments = dict(value.split("=", 1) for value in values(steps, "ARG"))
        assert arguments["BASE"].startswith("python:3.")
        assert arguments["BASE"].partition(":")[2].count(".") == 2
        assert arguments["UV_VERSION"].count(".") == 2
        assert {value.split()[0] for value in values(steps, "FROM")} == {"${BASE}"}

    def test_the_command_is_its_entry_for_a_user_who_is_not_root(
        self, steps: list[tuple[str, str]]
    ) -> None:
        assert json.loads(values(steps, "ENTRYPOINT")[0]) == ["cloudbill"]
        assert values(steps, "USER") == [f"{SOMEBODY}:{SOMEBODY}"]
        assert not [value for value in values(steps, "ENV") if "DONTWRITEBYTECODE" in value]

    def test_the_labels_are_those_of_the_project(self, steps: list[tuple[str, str]]) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        (labels,) = values(steps, "LABEL")
        for name in ("version", "license"):
            assert f'"{project[name]}"' in labels
        assert project["description"].startswith(
            labels.split('image.description="')[1].split('"')[0]
        )


def moved(text: str, root: Path) -> str:
    """A text with the folders of the image in a scratch folder instead."""
    names = "|".join(map(re.escape, MOVED))
    return re.sub(rf"(?<![\w/])(?:{names})\b", lambda found: f"{root}{found[0]}", text)


def run_steps(steps: list[tuple[str, str]], root: Path, context: Path) -> dict[str, str]:
    """Runs the instructions as a builder does, in a scratch folder; gives the variables."""
    env = {**os.environ, "PATH": f"{root}/usr/bin{os.pathsep}{os.environ['PATH']}"}
    here = root
    for instruction, value in steps:
        text = moved(value, root)
        if instruction in {"ARG", "ENV"}:
            for assigned in text.split():
                name, _, given = assigned.partition("=")
                env[name] = given.replace("$PATH", env["PATH"])
            # They cost half a minute, and change nothing that is tried here.
            env |= {"UV_NO_CACHE": "0", "UV_COMPILE_BYTECODE": "0", "UV_LINK_MODE": "symlink"}
        elif instruction == "WORKDIR":
            here = Path(text)
            here.mkdir(parents=True, exist_ok=True)
        elif instruction == "COPY" and not value.startswith("--from"):
            copy_into(here, context, value)
        elif instruction == "RUN":
            done = subprocess.run(
                ["/bin/sh", "-c", text],
                cwd=here,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return env


def copy_into(here: Path, context: Path, value: str) -> None:
    """Copies files into a folder, and a folder into one of its name, as COPY does."""
    sources, target = copied(value)
    for source in sources:
        if (context / source).is_dir():
            shutil.copytree(context / source, here / target)
        else:
            shutil.copy(context / source, here / target)


@pytest.fixture(scope="module")
def context(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a builder is sent, in a folder."""
    folder = tmp_path_factory.mktemp("context")
    for name in docker_context(clone):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clone / name, folder / name)
    return folder


class TestBuild:
    def test_its_steps_make_a_command_that_anybody_can_run(
        self, steps: list[tuple[str, str]], context: Path, tmp_path: Path
    ) -> None:
        root = tmp_path / "image"
        base = ["uv", "venv", "--quiet", "--seed", "--python", sys.executable, str(root / "usr")]
        subprocess.run(base, check=True)
        env = run_steps(steps, root, context)
        shutil.copytree(ROOT / ".dlt", root / "bills/.dlt")
        shutil.copytree(ROOT / "sample_exports", root / "bills/sample_exports")
        for name in ("DLT_DATA_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            env.pop(name, None)
        done = subprocess.run(
            [*as_somebody(), "cloudbill", "load", "azure", "--log-format", "json"],
            cwd=root / "bills",
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert shutil.which("cloudbill", path=env["PATH"]) == f"{root}/opt/cloudbill/bin/cloudbill"
        assert (root / "bills/cloudbill.duckdb").exists()
        assert sorted(p.name for p in (root / "home/cloudbill").iterdir()) == [".cache"]
        pinned = dict(pins())
        freeze = ["uv", "pip", "freeze", "--python", f"{root}/opt/cloudbill"]
        frozen = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
        installed = [line.split("==") for line in frozen.splitlines() if "==" in line]
        assert len(installed) > 50
        assert not [one for one in installed if one[1] not in pinned[one[0]]]

    @pytest.mark.timeout(1800)
    def test_a_builder_builds_it(self, clone: Path) -> None:
        builder = working_builder()
        if builder is None:
            pytest.skip("no podman, buildah or docker that works is here")
        build = "bud" if builder == "buildah" else "build"
        done = subprocess.run(
            [builder, build, "--tag", "cloudbill-of-tests", "."],
            cwd=clone,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def as_somebody() -> list[str]:
    """What lets a command run as a user whom this machine does not know, if it can."""
    words = ["unshare", "--user", f"--map-user={SOMEBODY}", f"--map-group={SOMEBODY}"]
    is_there = shutil.which("unshare")
    can = is_there and subprocess.run([*words, "true"], capture_output=True, check=False)
    return words if can and can.returncode == 0 else []


def pins() -> Iterator[tuple[str, set[str]]]:
    """Each package with the versions that it may have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found: dict[str, set[str]] = {}
    for line in project["tool"]["uv"]["constraint-dependencies"]:
        name, _, version = line.partition(";")[0].strip().partition("==")
        found.setdefault(name, set()).add(version)
    yield from found.items()


def working_builder() -> str | None:
    """A builder of images that answers."""
    for name in ("podman", "buildah", "docker"):
        asked = shutil.which(name) and subprocess.run(
            [name, "info"], capture_output=True, check=False
        )
        if asked and asked.returncode == 0:
            return name
    return None
