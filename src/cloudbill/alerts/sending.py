"""Brings a message to a destination, and says what came back; no word of an address is in that.

A request may take 10 seconds, and is tried three times where nobody can have taken the message. A
program may take 30 seconds. Redirects are not followed: who is behind one was not named by the
user.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cloudbill.alerts.messages import MessageKind
from cloudbill.disk.installation import adding_extra
from cloudbill.redaction import redacted
from cloudbill.settings.destinations import DestinationKind
from cloudbill.text.table import printable

if TYPE_CHECKING:
    from cloudbill.alerts.messages import Message
    from cloudbill.settings.destinations import Destination

__all__ = ["Answer", "send"]

_TIMEOUT_S: Final = 10.0
_COMMAND_S: Final = 30.0
_WAITS_S: Final = (0.5, 2.0)
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_SHOWN: Final = 200
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back from a destination, in words; `is_well` says whether it took the message."""

    is_well: bool
    words: str
    may_retry: bool = False


def send(destination: Destination, message: Message) -> Answer:
    """Sends a message; what goes wrong is in the answer."""
    bring = {
        DestinationKind.WEB: _post_patiently,
        DestinationKind.COMMAND: _run,
        DestinationKind.APPRISE: _hand_over,
    }
    answer = bring[destination.kind](destination, message)
    words = printable(destination.without_secrets(redacted(answer.words)))
    return Answer(is_well=answer.is_well, words=words)


def _post_patiently(destination: Destination, message: Message) -> Answer:
    answer = _post(destination, message)
    for wait_s in _WAITS_S:
        if not answer.may_retry:
            break
        time.sleep(wait_s)
        answer = _post(destination, message)
    return answer


def _post(destination: Destination, message: Message) -> Answer:
    import requests
    from urllib3.exceptions import HTTPError

    try:
        with requests.post(
            destination.address,
            data=message.document.encode(),
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": f"cloudbill/{version('cloudbill')}",
            },
            timeout=_TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        ) as response:
            return _answer_of(response)
    except (requests.RequestException, HTTPError, ValueError) as error:
        return _without_answer(error)


def _answer_of(response: Any) -> Answer:
    """What a status means; the beginning of what else was said, where it was no success."""
    import requests
    from urllib3.exceptions import HTTPError

    code = int(response.status_code)
    if code in _OK:
        return Answer(is_well=True, words=f"answered {code}")
    if code in _REDIRECTS:
        to = urlsplit(response.headers.get("Location", ""))
        where = f" to {to.scheme}://{to.hostname}" if to.hostname else ""
        return Answer(
            is_well=False,
            words=f"answered {code}, a redirect{where}, which is not followed; name the address "
            "that it leads to",
        )
    said = ""
    with suppress(requests.RequestException, HTTPError, OSError):
        said = response.raw.read(_SHOWN, decode_content=True).decode("utf-8", "replace")
    about = f": {' '.join(said.split())}" if said.strip() else ""
    return Answer(is_well=False, words=f"answered {code}{about}", may_retry=code in _AGAIN)


def _without_answer(error: Exception) -> Answer:
    """Why there was no answer; the text of the error has the address, so it is not used."""
    import requests

    match error:
        case requests.exceptions.SSLError():
            why = "its certificate was not accepted" + _reason_of(error)
            return Answer(is_well=False, words=why)
        case requests.exceptions.ProxyError():
            return Answer(is_well=False, words="the proxy did not let it through", may_retry=True)
        case requests.exceptions.ConnectTimeout():
            words = f"could not be reached within {_TIMEOUT_S:.0f} s"
            return Answer(is_well=False, words=words)
        case requests.exceptions.ReadTimeout():
            # It may have taken the message, so it is not sent once more.
            words = f"gave no answer within {_TIMEOUT_S:.0f} s"
            return Answer(is_well=False, words=words)
        case requests.exceptions.ConnectionError():
            words = f"could not be reached{_reason_of(error)}"
            return Answer(is_well=False, words=words, may_retry=True)
        case _:
            return Answer(is_well=False, words=f"cannot be asked ({type(error).__name__})")


def _reason_of(error: BaseException) -> str:
    """What the system said at the bottom of a chain of errors, which knows no address."""
    found, seen = "", set[int]()
    left: list[object] = [error]
    while left:
        one = left.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        told = getattr(one, "verify_message", None) or (
            one.strerror if isinstance(one, OSError) else None
        )
        found = str(told) if told else found
        left += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return f": {found}" if found else ""


def _run(destination: Destination, message: Message) -> Answer:
    """Runs a program without a shell, with the JSON document as its input."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the program that the user named
            destination.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # What it says may have any secret of its arguments in it, in a form that nobody knows.
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return Answer(is_well=False, words=f"cannot be started: {reason}")
    try:
        with suppress(BrokenPipeError):  # it may well not read what it gets
            process.communicate(message.document.encode(), timeout=_COMMAND_S)
    except subprocess.TimeoutExpired:
        return Answer(is_well=False, words=f"had not ended after {_COMMAND_S:.0f} s, and was ended")
    finally:
        _end(process)
    return Answer(is_well=not process.returncode, words=f"ended with {process.returncode}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that has not, with all that it started."""
    if process.poll() is None:
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _hand_over(destination: Destination, message: Message) -> Answer:
    """Lets apprise send title and text."""
    try:
        import apprise
    except ImportError:
        words = (
            f"needs apprise, which is not installed: run {adding_extra('apprise')}, or name a URL "
            "with https:// or a program with command:"
        )
        return Answer(is_well=False, words=words)
    kinds = {
        MessageKind.ALERT: apprise.NotifyType.WARNING,
        MessageKind.WELL: apprise.NotifyType.SUCCESS,
        MessageKind.TEST: apprise.NotifyType.INFO,
    }
    with _heard_of_apprise() as said:
        asset = apprise.AppriseAsset(
            app_id="cloudbill", app_desc="cloudbill", async_mode=False, http_redirects=False
        )
        service = apprise.Apprise(asset=asset)
        if not service.add(destination.address):
            return Answer(is_well=False, words="is no URL that apprise understands")
        is_sent = service.notify(
            title=message.title,
            body=message.text,
            notify_type=kinds[message.kind],
            body_format="text",
        )
    if is_sent:
        return Answer(is_well=True, words="apprise sent it")
    return Answer(is_well=False, words=f"apprise could not send it{said[-1] if said else ''}")


@contextmanager
def _heard_of_apprise() -> Iterator[list[str]]:
    """Keeps what apprise logs, which nobody else gets: it has addresses in it."""
    log = logging.getLogger("apprise")
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f": {record.getMessage()[:_SHOWN]}")

    handler = Listener(logging.WARNING)
    with _one_at_a_time:  # apprise logs in threads of its own, so nothing else tells whose it is
        log.addHandler(handler)
        log.propagate = False
        try:
            yield said
        finally:
            log.removeHandler(handler)
            # Whatever it still logs goes nowhere.
            log.addHandler(logging.NullHandler())
