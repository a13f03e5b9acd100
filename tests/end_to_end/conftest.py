"""Runs the installed command as a user would, in a folder of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudbill.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `cloudbill` with words, in `tmp_path`."""

    def run_command(
        *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "cloudbill"), *words],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run_command


def configure(folder: Path, text: str) -> None:
    """Writes `.dlt/config.toml` of a folder."""
    home = folder / ".dlt"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Call = Callable[..., Called]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Call]:
    """Calls `cloudbill` with words, in `tmp_path`, after writing its configuration if one is given.

    It ends as the process would, without the second that a process takes to begin.
    """
    monkeypatch.chdir(tmp_path)

    def run(*words: str, config: str | None = None, env: Mapping[str, str] | None = None) -> Called:
        if config is not None:
            configure(tmp_path, config)
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            context: Any = Container()[PluggableRunContext]
            context.reload(str(tmp_path))
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(words)
        printed = capsys.readouterr()
        return Called(code=int(ended.value.code or 0), out=printed.out, err=printed.err)

    yield run
    log = logging.getLogger("cloudbill")
    log.handlers.clear()
