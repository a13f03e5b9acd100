"""The one loop over sources: whatever ends one of them, the others go on.

Here is the only broad `except` of the project. Every error that was foreseen has a name and comes
through; the rest is a fault of cloudbill, and is written to a file for whoever looks into it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudbill.cli.signals import was_interrupted
from cloudbill.text.failures import SourceFailure

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.settings import Misconfigured, SourceSettings

__all__ = [
    "attempt",
    "code_with",
    "each_source",
    "kind_of_fault",
    "require_one_source",
    "unexpected_error",
]

_SHOWN_CHARACTERS: Final = 300


def each_source(
    name: str,
    work: Callable[[SourceSettings], object],
    *,
    failed: Callable[[SourceFailure], None],
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Does the work of a command for every source that a name on the command line stands for.

    `failed` hears what ended a source, or kept its settings from being read, as soon as it did, and
    which sources are not begun once `is_stopped` says so.
    """
    from cloudbill.errors import StoppedError

    found: list[SourceSettings | Misconfigured] = []
    attempt(None, lambda: found.extend(_configured(name)), failed)
    for one in found:
        if is_stopped():
            failed(SourceFailure(source=one.source, error=StoppedError("not begun")))
        else:
            attempt(one.source, partial(_do, one, work), failed)


def attempt(
    source: str | None, action: Callable[[], object], failed: Callable[[SourceFailure], None]
) -> None:
    """Does something for a source, or for the command; tells `failed` what ended it, if so.

    Raises:
        KeyboardInterrupt: If the user interrupted it, whatever was made of that.
    """
    from cloudbill.errors import CloudbillError

    error = _raised_by(action)
    if isinstance(error, BrokenPipeError):  # whoever reads the output has left, as `head` does
        raise error
    if error is None:
        return
    if was_interrupted():
        raise KeyboardInterrupt from error
    # Whatever else it is, the other sources go on.
    known = error if isinstance(error, CloudbillError) else unexpected_error(error)
    failed(SourceFailure(source=source, error=known))


def kind_of_fault(action: Callable[[], object]) -> str | None:
    """Does something whose errors may have a secret in them; gives the kind of error, if any."""
    error = _raised_by(action)
    return None if error is None else type(error).__name__


def _raised_by(action: Callable[[], object]) -> Exception | None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whoever calls this tells it
        return error
    return None


def unexpected_error(error: BaseException) -> CloudbillError:
    """What is said of an error that nobody foresaw, in two lines; its traceback goes to a file."""
    from cloudbill.disk.fault_log import write_fault
    from cloudbill.errors import UnexpectedError

    file = write_fault(error)
    where = (
        f"Its traceback is in {file}: report it with that, then run again"
        if file
        else "Its traceback could not be kept: run again with -v, and report it with the output"
    )
    reason = " ".join(str(error).split())[:_SHOWN_CHARACTERS]
    told = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    unexpected = UnexpectedError(
        f"unexpected {told}. This is a fault of cloudbill; what was loaded before stays\n{where}"
    )
    unexpected.__cause__ = error
    return unexpected


def code_with(codes: Iterable[int], failures: Iterable[SourceFailure]) -> int:
    """The exit code of a command, from those of its sources and of what ended some of them."""
    from cloudbill.text.exit_codes import highest_code

    return highest_code([*codes, *(failure.error.exit_code for failure in failures)])


def require_one_source(name: str, option: str) -> None:
    """Refuses a name that stands for several sources, or for all there are.

    Raises:
        ConfigError: If it does, or if there is no such source.
    """
    from cloudbill.errors import ConfigError

    sources = [one.source or "?" for one in _configured(name)]
    if name == "all" or len(sources) > 1:
        raise ConfigError(f"{option} is for one source; name it: {', '.join(sources)}")


def _configured(name: str) -> tuple[SourceSettings | Misconfigured, ...]:
    from cloudbill.settings import dlt_providers, read_each_source, select_sources

    return select_sources(read_each_source(dlt_providers(), os.environ), name)


def _do(one: SourceSettings | Misconfigured, work: Callable[[SourceSettings], object]) -> None:
    from cloudbill.settings import Misconfigured

    if isinstance(one, Misconfigured):
        raise one.error
    work(one)
