"""The command that adds an extra fits how cloudbill was installed."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from importlib.metadata import requires
from pathlib import Path

import pytest

from cloudbill.disk.installation import adding_extra, read_installation
from cloudbill.text.installing import Installation, Origin, Way, extras_in, origin_of

HOME = "/home/ada"
VENV = Installation(prefix=f"{HOME}/venv", python=f"{HOME}/venv/bin/python", here=f"{HOME}/bills")
PIPX = replace(
    VENV,
    prefix=f"{HOME}/.local/pipx/venvs/cloudbill",
    marks=frozenset({"pipx_metadata.json", "pyvenv.cfg"}),
)
UV = replace(VENV, installer="uv")
CLONE = replace(
    UV, prefix=f"{HOME}/cloudbill/.venv", clone=f"{HOME}/cloudbill", here=f"{HOME}/cloudbill/bills"
)
UVX = replace(UV, prefix=f"{HOME}/.cache/uv/archive-v0/lWl6uYAs")
WHEEL = "file:///tmp/cloudbill-0.1.0-py3-none-any.whl"


INSTALLATIONS = {
    "pip in an active environment": (VENV, Way.PIP, "pip install 'cloudbill[s3]'", "cloudbill"),
    "pip in an environment that is not active": (
        replace(VENV, has_its_pip=False, has_its_command=False),
        Way.PIP,
        f"{HOME}/venv/bin/python -m pip install 'cloudbill[s3]'",
        f"{HOME}/venv/bin/python -m cloudbill",
    ),
    "pip, from a wheel": (
        replace(VENV, origin=WHEEL),
        Way.PIP,
        f"pip install 'cloudbill[s3] @ {WHEEL}'",
        "cloudbill",
    ),
    "pip, editable": (
        replace(VENV, clone=f"{HOME}/my clone"),
        Way.PIP,
        f"pip install -e '{HOME}/my clone[s3]'",
        "cloudbill",
    ),
    "pip in a Python that takes it": (
        replace(VENV, is_environment=False),
        Way.PIP,
        "pip install 'cloudbill[s3]'",
        "cloudbill",
    ),
    "the Python of the system": (
        replace(VENV, is_environment=False, is_managed=True, prefix="/usr"),
        Way.SYSTEM,
        "pipx install 'cloudbill[s3]'",
        "cloudbill",
    ),
    "an environment of the Python of the system": (
        replace(VENV, is_managed=True),
        Way.PIP,
        "pip install 'cloudbill[s3]'",
        "cloudbill",
    ),
    "pipx": (PIPX, Way.PIPX, "pipx inject cloudbill 'cloudbill[s3]'", "cloudbill"),
    "pipx, under another name": (
        replace(PIPX, prefix=f"{HOME}/.local/share/pipx/venvs/cloudbill-beta", installer="uv"),
        Way.PIPX,
        "pipx inject cloudbill-beta 'cloudbill[s3]'",
        "cloudbill",
    ),
    "pipx run": (
        replace(PIPX, prefix=f"{HOME}/.cache/pipx/d7b4155fed3cdd4"),
        Way.PIPX_RUN,
        "pipx run --spec 'cloudbill[s3]' cloudbill",
        "pipx run cloudbill",
    ),
    "uv tool": (
        replace(UV, marks=frozenset({"uv-receipt.toml"}), extras=("bigquery",)),
        Way.UV_TOOL,
        "uv tool install --force 'cloudbill[bigquery,s3]'",
        "cloudbill",
    ),
    "uvx": (UVX, Way.UVX, "uvx --from 'cloudbill[s3]' cloudbill", "uvx cloudbill"),
    "uvx, with an extra": (
        replace(UVX, extras=("az",), origin=WHEEL),
        Way.UVX,
        f"uvx --from 'cloudbill[az,s3] @ {WHEEL}' cloudbill",
        f"uvx --from 'cloudbill[az] @ {WHEEL}' cloudbill",
    ),
    "a clone": (CLONE, Way.CLONE, "uv sync --inexact --extra s3", "uv run cloudbill"),
    "a clone, from another folder": (
        replace(CLONE, here=f"{HOME}/cloudbill-demo", has_its_command=False),
        Way.CLONE,
        f"uv sync --project {HOME}/cloudbill --inexact --extra s3",
        f"uv run --project {HOME}/cloudbill cloudbill",
    ),
    "a project of uv": (
        replace(UV, prefix=f"{HOME}/bills/.venv", is_in_project=True),
        Way.PROJECT,
        "uv add 'cloudbill[s3]'",
        "uv run cloudbill",
    ),
    "a project of uv, from another folder": (
        replace(UV, prefix=f"{HOME}/my bills/.venv", is_in_project=True, has_its_command=False),
        Way.PROJECT,
        f"uv add --project '{HOME}/my bills' 'cloudbill[s3]'",
        f"uv run --project '{HOME}/my bills' cloudbill",
    ),
    "uv pip": (UV, Way.UV, "uv pip install 'cloudbill[s3]'", "cloudbill"),
    "uv pip in an environment that is not active": (
        replace(UV, has_its_pip=False),
        Way.UV,
        f"uv pip install --python {HOME}/venv/bin/python 'cloudbill[s3]'",
        "cloudbill",
    ),
    "Windows": (
        replace(
            VENV,
            prefix=r"C:\Users\Ada L\venv",
            python=r"C:\Users\Ada L\venv\Scripts\python.exe",
            has_its_pip=False,
            is_windows=True,
        ),
        Way.PIP,
        r'"C:\Users\Ada L\venv\Scripts\python.exe" -m pip install "cloudbill[s3]"',
        "cloudbill",
    ),
    "a clone on Windows": (
        replace(
            CLONE,
            prefix=r"C:\src\cloudbill\.venv",
            clone="C:\\src\\cloudbill",
            here="C:\\bills",
            is_windows=True,
        ),
        Way.CLONE,
        r"uv sync --project C:\src\cloudbill --inexact --extra s3",
        "cloudbill",
    ),
}


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_each_way_has_its_commands(name: str) -> None:
    installation, way, adding, command = INSTALLATIONS[name]
    found = (installation.way, installation.adding("s3"), installation.command)
    assert found == (way, adding, command)


def test_every_way_is_tried() -> None:
    assert {way for _, way, _, _ in INSTALLATIONS.values()} == set(Way)


@pytest.mark.parametrize(
    ("document", "origin"),
    [
        (None, Origin()),
        ("no JSON", Origin()),
        ("[]", Origin()),
        ({"url": WHEEL, "archive_info": {}}, Origin(url=WHEEL)),
        (
            {"url": "file:///src", "dir_info": {"editable": True}},
            Origin(url="file:///src", is_editable=True),
        ),
        ({"url": "file:///src", "dir_info": {}}, Origin(url="file:///src")),
        (
            {
                "url": "https://host/cloudbill",
                "vcs_info": {"vcs": "git", "requested_revision": "v1", "commit_id": "abc"},
            },
            Origin(url="git+https://host/cloudbill@v1"),
        ),
        (
            {"url": "ssh://git@host/cloudbill", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            Origin(url="git+ssh://git@host/cloudbill@abc"),
        ),
        ({"url": "https://ada:secret@host/cloudbill.whl", "archive_info": {}}, Origin()),
    ],
)
def test_the_origin_is_what_pip_takes_and_has_no_password(document: object, origin: Origin) -> None:
    text = document if document is None or isinstance(document, str) else json.dumps(document)
    assert origin_of(text) == origin


def test_extras_are_those_whose_packages_are_there() -> None:
    requirements = requires("cloudbill")
    assert requirements is not None
    names = [match[0] for one in requirements if (match := re.match(r"[\w-]+", one))]

    assert extras_in(requirements, []) == ()
    assert extras_in(requirements, ["dlt", "s3fs"]) == ("s3",)
    # BigQuery needs what gs needs.
    assert extras_in(requirements, ["DLT", "GCSFS"]) == ("gs",)
    assert "gs" not in extras_in(requirements, names)
    assert {"az", "bigquery", "s3"} <= set(extras_in(requirements, names))


def test_this_installation_is_read_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = read_installation({"PATH": str(Path(sys.executable).parent)})

    assert (found.prefix, found.here) == (sys.prefix, str(tmp_path))
    assert found.has_its_command
    assert not read_installation({"PATH": str(tmp_path)}).has_its_command
    # What `uv run` puts on the PATH is not there for the next command.
    by_uv_run = {"PATH": str(Path(sys.executable).parent), "UV_RUN_RECURSION_DEPTH": "1"}
    assert not read_installation(by_uv_run).has_its_command
    assert {"az", "bigquery", "s3"} <= set(found.extras)
    assert "s3" in adding_extra("s3")


def test_a_shim_of_pyenv_is_the_command_of_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "shims/cloudbill"
    shim.parent.mkdir()
    shim.touch(mode=0o755)
    for version, is_its in ((tmp_path / "versions/3.13", True), (tmp_path.parent / "py", False)):
        monkeypatch.setattr(sys, "executable", str(version / "bin/python"))
        assert read_installation({"PATH": str(shim.parent)}).has_its_command == is_its
