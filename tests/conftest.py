"""What all tests share: emulated clouds, and folders of their own for what is kept on disk."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from listeners import Listener

pytest_plugins = ["emulators.fixtures"]

# Hundreds of tests start the command, and pytest rewrites every test module: each would be compiled
# again in every process where nobody may keep bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# As the command itself does: what is imported stays, and looking through all of it for rubbish
# after every 700 objects is a tenth of what tests compute.
gc.set_threshold(50_000, 20, 20)
# In memory, where there is room: a load makes and removes some hundred files, and on a disk that is
# as much work as the rest of dlt.
_MEMORY = Path("/dev/shm")  # noqa: S108
_HAS_ROOM = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 * 1024**3
_MADE = None
if _HAS_ROOM and "TMPDIR" not in os.environ:
    _MADE = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="bills-of-tests-", dir=_MEMORY)
    tempfile.tempdir = None
# What a shell starts in the background ignores Ctrl-C, and so does all that is started there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Read when gcsfs is imported, by whichever test: with it, opening a bucket waits for a minute.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
# Read when gRPC is imported, by the emulator of BigQuery: its handlers look, in a forked child, for
# the threads of the parent, and end the child that tests kill on purpose.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"


def pytest_sessionfinish(exitstatus: int) -> None:
    """Gives the memory back, unless somebody will look at what failed."""
    if _MADE is not None and exitstatus == pytest.ExitCode.OK:
        atexit.register(shutil.rmtree, _MADE, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what tests counted (`record_property("counted", ...)`), from any process of them."""
    for report in terminalreporter.getreports("passed"):
        for name, counted in report.user_properties:
            if name == "counted":
                terminalreporter.write_line(f"{report.head_line or report.nodeid}: {counted}")


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def own_dlt(_own_folders: None, tmp_path: Path) -> Iterator[None]:
    """Lets dlt read the configuration of `tmp_path`, for tests that use dlt in this process.

    A process reads the configuration of one folder, that of its first use of dlt: without this,
    whichever test came first would decide for all that follow. It takes 15 ms, so only the tests
    that use dlt ask for it.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    from quick_dlt import read_settings_of, remember_types

    remember_types()
    plugged = Container()[PluggableRunContext]
    before = plugged.context, plugged.providers
    read_settings_of(str(tmp_path), plugged)
    yield
    plugged.context, plugged.providers = before


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server that takes every message."""
    from listeners import listening

    with listening() as started:
        yield started
