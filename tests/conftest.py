"""What all tests share: emulated clouds, and folders of their own for what is kept on disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["emulators.fixtures"]

# Hundreds of tests start the command: each would compile dlt anew where nobody may keep bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(autouse=True)
def _own_dlt_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A process reads the configuration of one folder, that of its first use of dlt: without this,
    # whichever test came first would decide for all that follow.
    Container()[PluggableRunContext].reload(str(tmp_path))
