"""Where the command starts, also as `python -m cloudbill`.

Imports take a second, and somebody may press Ctrl-C in it: so that comes first, and with what is
part of Python itself.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # without the enumerations of `signal`
import os

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    # Somebody who starts it in the background of a shell has Ctrl-C ignored.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _stop)
    from cloudbill.cli import main as run

    try:
        run(arguments)
    except SystemExit as ended:
        _keep(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
        raise


def _keep(code: int) -> None:
    """Ends the process with the code of the command, whatever signal comes while it ends."""

    def end(number: int, frame: object) -> None:
        del number, frame
        os._exit(code)

    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, end)


def _stop(number: int, frame: object) -> None:
    """Ends the process at once: nothing has begun."""
    del number, frame
    os.write(2, b"Stopped\n")
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
