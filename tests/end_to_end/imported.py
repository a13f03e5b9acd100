"""Runs `cloudbill` in forks of one process that has imported it, for tests of many commands.

To start Python and import what a command needs takes a second, several times what it does then.
Such a command has streams, signals, an exit code, a folder and variables of its own, as one that
was started; what it has not, its start, is for the tests that start the installed one: for signals
that are typed or sent, for some of the kills, and where the start itself is tried. Who kills it
knows that it is gone once its streams are closed.

This file is also that process: `python imported.py SOCKET` listens there until its input ends. It
starts no thread, for a fork has none but the one that forks.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import marshal
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
_OF_THE_START: Final = (
    *(b"LANG", b"LC_", b"LD_", b"PYTHON", b"TZ"),
    *(b"DLT_CONFIG_", b"DLT_DEFAULT_", b"DLT_DLT_", b"DLT_INTERVAL_", b"DLT_JSON_", b"DLT_USE_"),
    *(b"FSSPEC_", b"PENDULUM_", b"TYPER_"),
)
"""Variables that Python or an import reads as it starts: a process of others cannot be forked."""
_FORWARDED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_WITH_AN_EXTRA: Final = (
    "cloudbill.doctor.",
    "cloudbill.files.parquet_footers",
    "cloudbill.warehouses.bigquery.",
)
"""Modules that import numpy or gRPC, which start threads."""
_IMPORTED_LATE: Final = (
    "cloudbill.doctor.examination",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.sources.helpers.requests",
    "rich.progress",
    "typer._adapters",
)
"""What a command imports once it is needed."""
# Written where a shell finds it. It stands for the command: it lends its streams, passes signals on
# and ends as the command did. What it imports is part of Python itself, and takes no time.
_CLIENT: Final = """#!{python} -IS
import _signal, _socket, marshal, posix, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
told = marshal.dumps((sys.argv, posix.getcwd(), posix.environ))
fds = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, {streams!r})]
_signal.pthread_sigmask(_signal.SIG_BLOCK, {forwarded})
server.sendmsg([len(told).to_bytes({length}, "big")], fds)
server.sendall(told)
pid = int.from_bytes(server.recv({length}), "big")
for one in {forwarded}:
    _signal.signal(one, lambda number, _: posix.kill(pid, number))
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, {forwarded})
status = server.recv({length})
code = posix.waitstatus_to_exitcode(int.from_bytes(status, "big")) if status else 70
if code < 0:
    if -code != _signal.SIGKILL:
        _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
posix._exit(code)
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
            streams=array.array("i", _STREAMS).tobytes(),
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
        if not found.name.endswith("__main__") and not found.name.startswith(_WITH_AN_EXTRA):
            importlib.import_module(found.name)
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("An import of cloudbill has started a thread: name its module in _WITH_AN_EXTRA")
    # What was imported is not looked through for rubbish again, which would copy it in each fork.
    gc.freeze()


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
    words, folder, variables = marshal.loads(text)  # noqa: S302
    child = os.fork()
    if child == 0:
        asking.close()
        return _become(words, folder, variables, fds)
    for fd in fds:
        os.close(fd)
    with contextlib.suppress(ConnectionError):
        asking.sendall(child.to_bytes(_LENGTH))
    ready, _, _ = select.select([os.pidfd_open(child), asking.fileno()], [], [])
    if asking.fileno() in ready:
        # Whoever asked was killed, which nobody can pass on.
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ConnectionError):
        asking.sendall(status.to_bytes(_LENGTH))
    os._exit(0)


def _become(words: list[str], folder: str, variables: Mapping[bytes, bytes], fds: Any) -> None:
    """Takes the folder, the variables, the words and the streams of whoever asked."""
    here = {name for name in {*variables, *os.environb} if name.startswith(_OF_THE_START)}
    is_other = any(variables.get(name) != os.environb.get(name) for name in here)
    os.chdir(folder)
    for own, given in zip(_STREAMS, fds, strict=True):
        os.dup2(given, own)
        os.close(given)
    if is_other:
        os.execve(INSTALLED, [INSTALLED, *words[1:]], variables)  # noqa: S606
    os.environb.clear()
    os.environb.update(variables)
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
    from cloudbill.__main__ import main

    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:  # noqa: BLE001 - shown as Python shows it
        sys.excepthook(*sys.exc_info())
        code = 1
    end: Any = threading
    end._shutdown()  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _listen(sys.argv[1])
    _run()
