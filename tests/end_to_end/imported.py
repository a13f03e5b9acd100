"""Runs `cloudbill` in forks of one process that has imported it, for tests of many commands.

To start Python and import what a command needs takes a second, several times what it does then.
Such a command has streams, signals, an exit code, a folder and variables of its own, as one that
was started; what it has not, its start, is for the tests that start the installed one: for signals
that are typed or sent, for some of the kills, and where the start itself is tried. Who kills it
knows that it is gone once its streams are closed.

This file is also that process: `python imported.py SOCKET` listens there until its input ends.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import importlib
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["INSTALLED", "imported_command"]

INSTALLED: Final = str(Path(sys.executable).parent / "cloudbill")
_READY: Final = b"ready\n"
# A test may set another one, which goes with it.
_TEMPORARY: Final = tempfile.gettempdir()
_LENGTH: Final = 4
_STREAMS: Final = (0, 1, 2)
_OF_THE_START: Final = ("LANG", "LC_", "LD_", "PYTHON", "TZ")
"""Variables that Python reads as it starts: a process of other ones cannot be forked."""
_FORWARDED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
# Written where a shell finds it. It stands for the command: it lends its streams, passes signals on
# and ends as the command did.
_CLIENT: Final = """#!{python} -IS
import array, json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
told = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
fds = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", {streams}))]
server.sendmsg([len(told).to_bytes({length}, "big")], fds)
server.sendall(told)
answers = server.makefile()
pid = int(answers.readline())
for one in {forwarded}:
    signal.signal(one, lambda number, _: os.kill(pid, number))
code = int(answers.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@functools.cache
def imported_command() -> Path:
    """A program `cloudbill`, alone in its folder, for as long as the tests run."""
    command = _ImportedCommand()
    atexit.register(command.stop)
    return command.path


class _ImportedCommand:
    """A program `cloudbill` in a folder of its own, and the process that answers for it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(dir=_TEMPORARY)) / "cloudbill"
        address = self.path.with_name("socket")
        client = _CLIENT.format(
            python=sys.executable,
            address=str(address),
            streams=_STREAMS,
            length=_LENGTH,
            forwarded=tuple(map(int, _FORWARDED)),
        )
        self.path.write_text(client)
        self.path.chmod(0o755)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(address)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A Ctrl-C at the tests ends them, and they end it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != _READY:
            raise RuntimeError("the process that imports the command has ended; see stderr")

    def stop(self) -> None:
        """Ends the process."""
        self._process.communicate(timeout=30)
        shutil.rmtree(self.path.parent, ignore_errors=True)


def _listen(address: str) -> None:
    """Forks a process for each that asks; returns in such a process, to be the command there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        _import_all()
        os.write(1, _READY)
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [])
            if listener.fileno() not in ready:
                os._exit(0)
            asking, _ = listener.accept()
            with asking:
                if os.fork() == 0:
                    listener.close()
                    return _answer(asking)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass


def _import_all() -> None:
    import cloudbill

    for found in pkgutil.walk_packages(cloudbill.__path__, "cloudbill."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def _answer(asking: socket.socket) -> None:
    """Forks the command, says its id, and its exit code at the end; returns in the command."""
    head, carried, _, _ = asking.recvmsg(_LENGTH, socket.CMSG_SPACE(len(_STREAMS) * 4))
    fds = array.array("i")
    for _, _, data in carried:
        fds.frombytes(data)
    with asking.makefile("rb") as told:
        text = told.read(int.from_bytes(head, "big"))
    if len(head) < _LENGTH or len(text) < int.from_bytes(head, "big"):
        os._exit(1)  # whoever asked was killed as it did
    words, folder, variables = json.loads(text)
    child = os.fork()
    if child == 0:
        asking.close()
        return _become(words, folder, variables, fds)
    for fd in fds:
        os.close(fd)
    with contextlib.suppress(ConnectionError):
        asking.sendall(f"{child}\n".encode())
    ready, _, _ = select.select([os.pidfd_open(child), asking.fileno()], [], [])
    if asking.fileno() in ready:
        # Whoever asked was killed, which nobody can pass on.
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ConnectionError):
        asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(words: list[str], folder: str, variables: Mapping[str, str], fds: Any) -> None:
    """Takes the folder, the variables, the words and the streams of whoever asked."""
    here = {name for name in {*variables, *os.environ} if name.startswith(_OF_THE_START)}
    is_other = any(variables.get(name) != os.environ.get(name) for name in here)
    os.chdir(folder)
    for own, given in zip(_STREAMS, fds, strict=True):
        os.dup2(given, own)
        os.close(given)
    if is_other:
        os.execve(INSTALLED, [INSTALLED, *words[1:]], variables)  # noqa: S606
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    sys.argv[:] = [INSTALLED, *words[1:]]
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        old = getattr(sys, name)
        new: Any = os.fdopen(fd, mode, encoding=old.encoding, errors=old.errors, closefd=False)
        if fd:
            new.reconfigure(line_buffering=fd == 2 or os.isatty(fd))
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _run() -> NoReturn:
    """Runs the command and ends the process as Python does, but takes no module apart for it."""
    from cloudbill.cli import main

    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    end: Any = threading
    end._shutdown()  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _listen(sys.argv[1])
    _run()
