"""Runs the installed command as a user would, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

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
