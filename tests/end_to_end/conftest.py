"""Runs the command as a user would, in a folder of its own: in this process, or as a process.

All JSON that a command prints is held against its schema.
"""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from unittest import mock

import pytest

from cloudbill.cli import main
from documents import require_printed_fit
from end_to_end.imported import INSTALLED, imported_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test of this folder: to start commands and browsers takes a third of all time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.long)


@pytest.fixture
def run(tmp_path: Path, request: pytest.FixtureRequest) -> Run:
    """Runs `cloudbill` with words in `tmp_path`, within this process: it is imported only once.

    What only a process has (signals, locks on files, what the shell sees) is for `run_process`.
    """
    request.getfixturevalue("own_dlt")

    def run_here(
        *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return run_in(cwd or tmp_path, *words, env=env)

    return run_here


def run_in(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs `cloudbill` with words in a folder, within this process."""
    out, err = _stream(), _stream()
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, env or {}),
        mock.patch.object(sys, "argv", ["cloudbill", *words]),
        _process_kept_as_it_is(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        _reload_dlt()
        code = _exit_code(words)
    require_printed_fit(words, _text(out), _text(err))
    return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def run_apart(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The same with a home of its own in the folder, for what is made once for many tests."""
    names = ("DLT_DATA_DIR", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    env = {name: str(folder / "home" / name.lower()) for name in names}
    return run_in(folder, *words, env={**env, "RUNTIME__DLTHUB_TELEMETRY": "false"})


@pytest.fixture
def run_process(tmp_path: Path) -> Run:
    """Runs `cloudbill` with words in `tmp_path`, as a process of its own."""
    return _started(imported_command(), tmp_path)


@pytest.fixture
def run_installed(tmp_path: Path) -> Run:
    """The same with the installed command, for what a process does as it starts."""
    return _started(Path(INSTALLED), tmp_path)


def _started(command: Path, folder: Path) -> Run:
    def run_command(
        *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *words],
            cwd=cwd or folder,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        require_printed_fit(words, done.stdout, done.stderr)
        return done

    return run_command


def configure(folder: Path, text: str) -> None:
    """Writes `.dlt/config.toml` of a folder."""
    home = folder / ".dlt"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(text)


def _exit_code(words: tuple[str, ...]) -> int:
    try:
        main(words)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _reload_dlt() -> None:
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    from quick_dlt import read_settings_of

    read_settings_of(".", Container()[PluggableRunContext])


@contextlib.contextmanager
def _process_kept_as_it_is() -> Iterator[None]:
    """Puts back what a command sets for the process that it takes for its own."""
    log = logging.getLogger("cloudbill")
    hook, threshold = sys.excepthook, gc.get_threshold()
    handlers, level = list(log.handlers), log.level
    try:
        yield
    finally:
        sys.excepthook = hook
        gc.set_threshold(*threshold)
        log.handlers[:] = handlers
        log.setLevel(level)


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
