"""A pseudo-terminal with a command in it, typed at and read as a person does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from end_to_end.imported import INSTALLED, imported_command

__all__ = ["Terminal", "plain"]

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
# The command takes the terminal itself: a function between fork and exec would run in a copy of
# this process, where its threads (those of gRPC) do not live.
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios;"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """Runs `cloudbill` with words on a terminal of its own, 100 characters wide."""

    def __init__(
        self,
        *words: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        is_installed: bool = False,
    ) -> None:
        """Starts a fork of the command, or the installed one where signals are what it is about."""
        self._main, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        variables = {**os.environ, "TERM": "xterm-256color", **(env or {})}
        # These would be believed before the terminal itself.
        for name in ("COLUMNS", "LINES"):
            variables.pop(name, None)
        command = INSTALLED if is_installed else str(imported_command())
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, command, *words],
            cwd=cwd,
            env=variables,
            stdin=child,
            stdout=child,
            stderr=child,
            # So that what is typed, such as Ctrl-C, reaches this process and no other.
            start_new_session=True,
        )
        os.close(child)
        self.text = ""

    def type(self, text: str) -> None:
        """Types at the command."""
        os.write(self._main, text.encode())

    def wait_for(self, pattern: str, timeout_s: float = 90.0) -> str:
        """Reads until a pattern has appeared, and gives all that was shown."""
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, plain(self.text)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            if not self._read():
                assert re.search(pattern, plain(self.text)), f"no {pattern!r} in {self.text!r}"
        return plain(self.text)

    def end(self, timeout_s: float = 90.0) -> tuple[int, str]:
        """Reads to the end; gives the exit code and all that was shown, escapes and all."""
        deadline = time.monotonic() + timeout_s
        while self._read():
            assert time.monotonic() < deadline, self.text
        code = self.process.wait(timeout=timeout_s)
        os.close(self._main)
        return code, self.text

    def _read(self) -> bool:
        """Takes what is there by now; False where the command has closed its terminal."""
        ready, _, _ = select.select([self._main], [], [], 0.2)
        if not ready:
            return True
        try:
            found = os.read(self._main, 65536)
        except OSError:  # what Linux says of a terminal that nobody has open any more
            return False
        self.text += found.decode(errors="replace")
        return bool(found)


def plain(text: str) -> str:
    """What was shown, without colours and movements of the cursor."""
    return _ESCAPES.sub("", text).replace("\r", "")
