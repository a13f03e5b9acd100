"""Ctrl-C and SIGTERM at any moment end the command with at most a line, also while it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloudbill.cli.each_source import attempt
from cloudbill.cli.signals import interruptible
from end_to_end.conftest import ROOT
from end_to_end.imported import INSTALLED

WAYS = {
    "module": (sys.executable, "-m", "cloudbill", "status"),
    "script": (INSTALLED, "status"),
    "main.py": (sys.executable, str(ROOT / "main.py")),
}
# Before the commands are known, while they are imported, and while dlt is.
MOMENTS = ("typer", "cloudbill.cli.app", "cloudbill.settings", "dlt.common.typing")
# At these a command without a source may have ended before the signal is there.
LATE = MOMENTS[2:]
IMPORTED = "import time:"


def sent_as_it_imports(
    moment: str, number: signal.Signals, words: tuple[str, ...], folder: Path
) -> tuple[int, list[str]]:
    """Sends a signal once a module was imported; gives the exit code, and the lines of stderr."""
    variables = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    with subprocess.Popen(
        words, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == moment:
                break
        process.send_signal(number)
        said = [line for line in process.stderr if not line.startswith(IMPORTED)]
    return process.returncode, said


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_while_it_starts_shows_no_traceback(way: str, tmp_path: Path) -> None:
    for moment in MOMENTS:
        code, said = sent_as_it_imports(moment, signal.SIGINT, WAYS[way], tmp_path)

        assert "Traceback" not in "".join(said)
        if moment in LATE and len(said) > 1:
            # What it said of its failure may be cut by the stop.
            assert said[0].startswith("Failed - No source is configured")
            assert code == 2 or "Stopped" in said[-1]
        else:
            assert (code, len(said)) == (130, 1)


def test_sigterm_while_it_starts_says_nothing(tmp_path: Path) -> None:
    words = (INSTALLED, "load")

    assert sent_as_it_imports("typer", signal.SIGTERM, words, tmp_path) == (-signal.SIGTERM, [])


def test_an_import_is_not_interrupted_but_what_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.05)\nis_whole = 1\n"
    )
    (tmp_path / "interrupted_as_it_is_imported.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def wait() -> None:
        __import__("interrupted_as_it_is_imported")
        time.sleep(5)

    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()

    assert sys.modules["interrupted_as_it_is_imported"].is_whole


def test_an_error_that_somebody_made_of_ctrl_c_is_no_fault() -> None:
    def query() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            # As DuckDB does where it looks for signals in a query.
            raise RuntimeError("Query interrupted") from None

    with pytest.raises(KeyboardInterrupt), interruptible():
        attempt(None, query, lambda failure: pytest.fail(str(failure)))
