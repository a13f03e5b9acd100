"""Runs commands, each a process of its own, and measures them from outside."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = [
    "CLOUDBILL",
    "EMPTY",
    "PYTHON",
    "ROOT",
    "Command",
    "Measured",
    "Spread",
    "interleave",
    "python",
    "run",
]

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = str(Path(os.environ.get("BENCH_PYTHON", sys.executable)).absolute())
"""What is measured runs in this Python. `just bench` names one that has what users install, and no
more: a package that only tests need may slow dlt's start, or a peer's."""
CLOUDBILL: Final = os.environ.get("BENCH_CLOUDBILL", str(Path(PYTHON).parent / "cloudbill"))
"""The command. The tests, which measure nothing, name one that starts at once."""
_KEPT_LINES: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What is run, in `folder`, with `env` over the environment."""

    words: tuple[str, ...]
    folder: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: seconds, and the peak of the resident memory in bytes."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some runs, and their ends."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(median=statistics.median(values), low=min(values), high=max(values))


def python(script: str, *words: str, folder: Path = ROOT, timeout_s: float = 600.0) -> Command:
    """One of the scripts beside this file."""
    path = Path(__file__).parent / "scripts" / f"{script}.py"
    return Command(words=(PYTHON, str(path), *words), folder=folder, timeout_s=timeout_s)


EMPTY: Final = Command(words=(PYTHON, "-c", "pass"))
"""A Python that does nothing."""


def run(command: Command) -> Measured:
    """Runs a command to its end.

    The kernel counts what the child and its own children took. It counts the memory of the process
    that starts the child as well, so nothing large is ever imported here.

    Raises:
        RuntimeError: If it fails or takes too long, with the end of what it wrote.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        child = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env={**os.environ, **command.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        code, usage, took_s = _wait(child, began, command.timeout_s)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode(errors="replace")
        if code != 0:
            told = (errors.read().decode(errors="replace") or text).splitlines()[-_KEPT_LINES:]
            name = Path(command.words[0]).name
            raise RuntimeError("\n".join([f"{name} ended with {code}", *told]))
    return Measured(
        wall_s=took_s,
        cpu_s=usage[0],
        peak_bytes=usage[1],
        output=text,
    )


def _wait(
    child: subprocess.Popen[bytes], began: float, timeout_s: float
) -> tuple[int, tuple[float, int], float]:
    """The exit code, CPU seconds and peak bytes, and seconds on the clock."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        os.kill(child.pid, signal.SIGKILL)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        _, status, used = os.wait4(child.pid, 0)
    finally:
        timer.cancel()
    took_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if is_late.is_set():
        raise RuntimeError(f"not done after {timeout_s:.0f} s")
    kilobytes = 1 if sys.platform == "darwin" else 1024
    return child.returncode, (used.ru_utime + used.ru_stime, used.ru_maxrss * kilobytes), took_s


def interleave(
    commands: Mapping[str, Command | Callable[[int], Command]], runs: int
) -> dict[str, list[Measured]]:
    """Runs all commands in turn, as often as told, so that a slow minute is slow for each of them.

    Each second round goes backwards. A command may depend on the number of its round.
    """
    taken: dict[str, list[Measured]] = {name: [] for name in commands}
    for index in range(runs):
        names = list(commands)
        for name in names if index % 2 == 0 else reversed(names):
            command = commands[name]
            taken[name].append(run(command if isinstance(command, Command) else command(index)))
    return taken
