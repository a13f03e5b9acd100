"""What is published: an archive and a wheel, installed in empty environments and used there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import ROOT, configure

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION = PROJECT["project"]["version"]
REPOSITORY = PROJECT["project"]["urls"]["Source"]
PYTHONS = tuple(
    name.rpartition(" ")[2]
    for name in PROJECT["project"]["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
)
NO_CREDENTIALS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
RUNNING = f"3.{sys.version_info.minor}"
NEVER = re.compile(
    r"(^|/)(\.git|\.ci|\.venv|\.env|\.github|__pycache__|node_modules)(/|$)"
    r"|\.(duckdb|duckdb\.wal|pyc|pem|key|p12)$|secrets\.toml|credentials\.json|uv\.lock"
)
TWINE = "twine==7.0.0"
KEPT = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
PACKED = ("benchmarks", "docs", "examples", "sample_exports", "scripts", "src", "tests")
NOBODYS = ("credentials", "id_rsa", ".env", ".secrets.py", "secrets.yaml", "a.py/secret")
"""Files that somebody may have in a clone, with and without dots in their names."""


def kept() -> list[str]:
    """The files of the project that git has, or would take."""
    return subprocess.check_output(KEPT, cwd=ROOT, text=True).splitlines()


def run_uv(*words: str, cwd: Path = ROOT) -> None:
    """Runs uv in a folder, by default that of the project."""
    done = subprocess.run(
        ["uv", "--quiet", *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True, slots=True)
class Built:
    """The files that are published."""

    archive: Path
    wheel: Path

    def archived(self) -> dict[str, bytes]:
        """What is in the archive, below its one folder."""
        with tarfile.open(self.archive) as opened:
            found = [(one, opened.extractfile(one)) for one in opened if one.isfile()]
            return {one.name.partition("/")[2]: file.read() for one, file in found if file}

    def wheeled(self) -> dict[str, bytes]:
        """What is in the wheel."""
        with zipfile.ZipFile(self.wheel) as opened:
            return {name: opened.read(name) for name in opened.namelist()}

    def metadata(self) -> Message:
        """The metadata, with the description as their content."""
        text = self.wheeled()[f"cloudbill-{VERSION}.dist-info/METADATA"].decode()
        return Parser().parsestr(text)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with files of somebody in every folder of it."""
    root = tmp_path_factory.mktemp("clone")
    for name in kept():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    below = [path for top in PACKED for path in (root / top, *(root / top).rglob("*"))]
    for folder in [root, *(path for path in below if path.is_dir())]:
        for name in NOBODYS:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("nobody's business")
    return root


@pytest.fixture(scope="module")
def built(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The archive, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run_uv("build", "--out-dir", str(folder), cwd=clone)
    return Built(
        archive=folder / f"cloudbill-{VERSION}.tar.gz",
        wheel=folder / f"cloudbill-{VERSION}-py3-none-any.whl",
    )


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exact versions of the project, as constraints."""
    file = tmp_path_factory.mktemp("versions") / "constraints.txt"
    file.write_text("\n".join(PROJECT["tool"]["uv"]["constraint-dependencies"]))
    return file


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment with nothing but cloudbill and what it needs, and a folder to work in."""

    root: Path

    @classmethod
    def make(
        cls, root: Path, wanted: str, versions: Path, python: str | None = None
    ) -> Environment:
        """Makes it; `wanted` is what a user would give to pip."""
        found = ("--python", python) if python else ()
        run_uv("venv", "--no-project", *found, str(root / "venv"))
        interpreter = str(root / "venv/bin/python")
        run_uv("pip", "install", "-c", str(versions), "--python", interpreter, wanted)
        return cls(root=root)

    def run(
        self,
        *words: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        code: int = 0,
    ) -> subprocess.CompletedProcess[str]:
        """Runs its cloudbill, which has to end with a code."""
        path = os.pathsep.join([str(self.root / "venv/bin"), os.environ["PATH"]])
        done = subprocess.run(
            ["cloudbill", *words],
            cwd=cwd or self.root,
            env={**os.environ, "PATH": path, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def plain(built: Built, versions: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install cloudbill`, and the demo, which loads and draws."""
    root = tmp_path_factory.mktemp("plain")
    made = Environment.make(root, str(built.wheel), versions, sys.executable)
    assert "Loaded 6 months" in made.run("demo", "--no-open").stdout
    return made


class TestFiles:
    def test_the_archive_has_what_git_has_and_nothing_that_is_nobodys_business(
        self, built: Built
    ) -> None:
        listed = kept()
        names = set(built.archived())
        assert names - {"PKG-INFO"} <= set(listed)
        assert not [name for name in names if NEVER.search(name) and name != ".gitignore"]
        wanted = {name for name in listed if name.partition("/")[0] in PACKED}
        assert wanted <= names
        assert {"LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "main.py"} <= names

    def test_the_wheel_has_the_package_with_its_data_and_licences(self, built: Built) -> None:
        source = ROOT / "src"
        ours = {
            path.relative_to(source).as_posix(): path.read_bytes()
            for path in (source / "cloudbill").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        wheeled = built.wheeled()
        about = f"cloudbill-{VERSION}.dist-info/"
        assert {name: text for name, text in wheeled.items() if not name.startswith(about)} == ours
        licences = {"LICENSE", *(f"src/{name}" for name in ours if "/LICENSE" in name)}
        assert licences == {
            name.removeprefix(f"{about}licenses/") for name in wheeled if "/licenses/" in name
        }

    def test_the_wheel_is_the_same_whether_the_archive_or_the_project_is_built(
        self, built: Built, tmp_path: Path
    ) -> None:
        run_uv("build", "--wheel", "--out-dir", str(tmp_path))
        assert (tmp_path / built.wheel.name).read_bytes() == built.wheel.read_bytes()


class TestMetadata:
    def test_the_description_has_no_link_that_leads_nowhere(self, built: Built) -> None:
        text = str(built.metadata().get_payload())
        links = re.findall(r"\]\(([^)\s]+)", text)
        ours = [link for link in links if link.startswith(f"{REPOSITORY}/blob/main/")]
        assert [link for link in links if not re.match(r"https://|#", link)] == []
        assert len(ours) >= 10
        for link in ours:
            assert (ROOT / link.removeprefix(f"{REPOSITORY}/blob/main/").partition("#")[0]).exists()
        # The rest is the README.
        shown = text.replace(f"]({REPOSITORY}/blob/main/", "](")
        assert shown.strip() == (ROOT / "README.md").read_text().strip()

    def test_all_addresses_are_in_the_one_repository(self) -> None:
        addresses = PROJECT["project"]["urls"]
        assert {*addresses} == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
        for address in addresses.values():
            assert address == REPOSITORY or address.startswith(f"{REPOSITORY}/")
            _, _, file = address.partition("/blob/main/")
            assert (ROOT / file).exists()

    def test_the_index_takes_it(self, built: Built) -> None:
        run_uv(
            *("tool", "run", "--from", TWINE, "twine", "check", "--strict"),
            *(str(built.archive), str(built.wheel)),
        )


def numbers(version: str) -> tuple[int, ...]:
    """A version, so that it can be compared."""
    return tuple(map(int, version.split(".")))


class TestChangelog:
    HEADINGS = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    def test_headings_are_what_is_unreleased_and_versions_with_their_days(self) -> None:
        first, *released = self.HEADINGS
        assert first == "Unreleased"
        form = re.compile(r"(\d+\.\d+\.\d+) - \d{4}-\d{2}-\d{2}")
        found = [numbers(match[1]) for one in released if (match := form.fullmatch(one))]
        assert len(found) == len(released)
        assert found == sorted(set(found), reverse=True)
        # The version is the next one, or the newest that has a heading.
        assert not found or numbers(VERSION) >= found[0]

    def test_a_version_that_has_a_tag_has_a_heading(self) -> None:
        tags = subprocess.check_output(["git", "tag", "--list", "v*"], cwd=ROOT, text=True).split()
        released = {heading.partition(" - ")[0] for heading in self.HEADINGS}
        assert {tag.removeprefix("v") for tag in tags} <= released


class TestInstalled:
    def test_without_extras_it_loads_shows_asks_and_draws(self, plain: Environment) -> None:
        demo = plain.root / "cloudbill-demo"
        assert plain.run("--version").stdout == f"cloudbill {VERSION}\n"
        assert "Load the bills:" in plain.run("--help").stdout
        assert (demo / "report.html").stat().st_size > 100_000
        status = json.loads(plain.run("status", "--json", cwd=demo).stdout)
        months = [len(source["months"]) for source in status["sources"]]
        assert months == [3, 3]
        asked = "SELECT COUNT(*) AS n FROM azure_focus_billing_data"
        assert json.loads(plain.run("query", "--json", asked, cwd=demo).stdout)["rows"] == [
            {"n": 450}
        ]

    def test_without_an_extra_the_message_has_the_command_that_adds_it_here(
        self, plain: Environment, versions: Path
    ) -> None:
        home = plain.root / "s3"
        home.mkdir()
        configure(home, '[sources.aws_billing]\nbucket = "s3://b"\nexport_name = "e"\n')
        refused = plain.run("load", cwd=home, code=2).stderr
        adding = re.search(r"needs a client; install it: (.*)", refused)
        assert adding is not None
        env = {**os.environ, "UV_CONSTRAINT": str(versions)}
        subprocess.run(["bash", "-c", adding[1]], cwd=home, env=env, check=True)
        assert "No credentials" in plain.run("load", cwd=home, env=NO_CREDENTIALS, code=2).stderr

    def test_the_archive_with_the_extra_for_bigquery_loads_there(
        self, built: Built, versions: Path, cloud: Cloud, tmp_path: Path
    ) -> None:
        made = Environment.make(tmp_path, f"{built.archive}[bigquery]", versions)
        shutil.copytree(ROOT / "sample_exports/azure", tmp_path / "exports")
        configure(
            tmp_path,
            '[sources.azure_billing]\nbucket = "./exports"\nprefix = "billing"\n'
            'export_name = "focus-daily"\nproject_id = "acme"\ndataset = "finops"\n',
        )
        emulators = {
            "STORAGE_EMULATOR_HOST": cloud.gcs.url,
            "BIGQUERY_EMULATOR_HOST": cloud.bigquery.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        made.run("load", "azure", "--month", "2025-10", env=emulators)
        table = cloud.bigquery.client("acme").get_table("finops.azure_focus_billing_data")
        assert table.num_rows == 150


def interpreters(version: str) -> Iterator[str]:
    """The interpreters of a version on this machine: on the PATH, and of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    named = shutil.which(f"python{version}")
    for path in (named, *map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}"))):
        # A shim of pyenv is there for versions that are not switched on, and then only fails.
        if (
            path
            and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
        ):
            yield path


@pytest.mark.parametrize("version", [version for version in PYTHONS if version != RUNNING])
def test_the_demo_runs_on_each_other_python_that_is_named(
    built: Built, versions: Path, tmp_path: Path, version: str
) -> None:
    python = next(interpreters(version), None)
    if python is None:
        pytest.skip(f"there is no Python {version} on the PATH or in pyenv")
    made = Environment.make(tmp_path, str(built.wheel), versions, python)
    assert "Loaded 6 months" in made.run("demo", "--no-open").stdout


def test_the_pythons_that_are_named_begin_with_the_oldest_that_is_asked_for() -> None:
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"
