"""The message about some alerts: a title of one line, a text for a chat, and a JSON document."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from cloudbill.alerts.alert import Kind
from cloudbill.redaction import redacted
from cloudbill.text.table import printable
from cloudbill.text.times import iso_time

if TYPE_CHECKING:
    from cloudbill.alerts.alert import Alert
    from cloudbill.alerts.memory import Telling

__all__ = ["Message", "MessageKind", "Sender", "message_of", "test_message"]

_FORM: Final = 1
_RUN: Final = re.compile(
    r"(?<!-)\b(run [0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE
)
"""A run by its whole id, of which people need no more than the beginning."""
_MENDED: Final = "was not as recorded, loaded again"
_LISTED: Final = 20
"""How many alerts the text has; the document has all."""
_LONGEST: Final = 600
"""How long the words of one alert may be in the text."""
_TITLES: Final = {
    Kind.HELD: "held",
    Kind.ALARM: "loaded, look at it",
    Kind.FAILED: "failed",
    Kind.WAITING: "waiting too long",
    Kind.STALE: "stale",
    Kind.DIFFERS: "not what was recorded",
    Kind.MOVED: "moved after it had closed",
    Kind.VIEWS: "a view is not as it should be",
    Kind.SAME_CHARGES: "charges are delivered twice",
    Kind.STOPPED: "stopped",
}


class MessageKind(StrEnum):
    """What a message is; the values appear in it."""

    ALERT = "alert"
    """Somebody should look at something."""
    WELL = "well"
    """What was told before has ended."""
    TEST = "test"
    """Somebody tries whether messages arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Where the command ran: the name of the machine, and the folder."""

    host: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a destination gets, in each of its forms; no secret is in it."""

    kind: MessageKind
    title: str
    text: str
    document: str


def message_of(
    telling: Telling, *, command: str, exit_code: int, now: datetime, sender: Sender
) -> Message:
    """The message about what a command found."""
    kind = MessageKind.ALERT if telling.alerts else MessageKind.WELL
    title = _title(telling, sender)
    reasons = [{**alert.to_json(), "is_new": alert.key in telling.new} for alert in telling.alerts]
    return _message(
        kind,
        title,
        "\n".join([*_lines(telling), _how(telling, sender, command, exit_code)]),
        command=command,
        exit_code=exit_code,
        now=now,
        sender=sender,
        reasons=reasons,
        ended=[alert.to_json() for alert in telling.ended],
    )


def test_message(now: datetime, sender: Sender) -> Message:
    """The message by which a person sees that messages arrive."""
    title = "cloudbill: a test message"
    text = (
        "A test: nothing is wrong. Whoever reads this is told what cloudbill finds in "
        f"{sender.folder} on {sender.host}."
    )
    return _message(
        MessageKind.TEST,
        title,
        text,
        command="cloudbill notify",
        exit_code=0,
        now=now,
        sender=sender,
        reasons=[],
        ended=[],
    )


def _message(
    kind: MessageKind,
    title: str,
    text: str,
    *,
    command: str,
    exit_code: int,
    now: datetime,
    sender: Sender,
    reasons: list[dict[str, object]],
    ended: list[dict[str, object]],
) -> Message:
    document = {
        "form": _FORM,
        "kind": str(kind),
        "title": title,
        "text": text,
        "command": command,
        "exit_code": exit_code,
        "at": iso_time(now),
        "version": version("cloudbill"),
        "host": sender.host,
        "folder": sender.folder,
        "reasons": reasons,
        "ended": ended,
    }
    # As text, and not each of its values: a secret may be part of any of them.
    safe = {name: _safe(value) for name, value in document.items()}
    return Message(
        kind=kind,
        title=redacted(title),
        text=redacted(printable(text, "\n")),
        document=json.dumps(safe, indent=2),
    )


def _safe(value: object) -> object:
    """The same without secrets, and without characters that a terminal would obey."""
    match value:
        case str():
            return printable(redacted(value), "\n")
        case list():
            return [_safe(one) for one in value]
        case dict():
            return {name: _safe(one) for name, one in value.items()}
        case _:
            return value


def _title(telling: Telling, sender: Sender) -> str:
    """All of it in one line, which ends with the warehouse, or else the folder."""
    places = _warehouses(telling) or [PurePath(sender.folder).name]
    where = f" [{places[0]}]" if len(places) == 1 else ""
    return printable(f"{_what(telling)}{where}")


def _what(telling: Telling) -> str:
    if not telling.alerts:
        wheres = {alert.where: alert for alert in telling.ended}
        (where, alert), *others = wheres.items()
        is_one = not others and (alert.source or alert.period)
        whose = f" with {where}" if is_one else ""
        return f"cloudbill: all is well again{whose}"
    rest = "; all else is well again" if telling.is_rest_well else ""
    counted = Counter(map(_title_of, telling.alerts))
    if len(telling.alerts) == 1:
        (alert,) = telling.alerts
        return f"{alert.where}: {_title_of(alert)}{rest}"
    kinds = ", ".join(f"{count} {words}" for words, count in counted.items())
    return f"cloudbill: {len(telling.alerts)} things to look at ({kinds}){rest}"


def _title_of(alert: Alert) -> str:
    return _MENDED if alert.is_mended else _TITLES[alert.kind]


def _warehouses(telling: Telling) -> list[str]:
    found = (alert.deployment.warehouse for alert in (*telling.alerts, *telling.ended))
    return list(dict.fromkeys(one for one in found if one))


def _how(telling: Telling, sender: Sender, command: str, exit_code: int) -> str:
    """Which command found it and where; a code of 0 is no news."""
    warehouses = " and ".join(_warehouses(telling))
    of = f", warehouse {warehouses}" if warehouses else ""
    ended = f"; it ended with exit code {exit_code}" if exit_code else ""
    return f"Found by `{command}` in {sender.folder} on {sender.host}{of}{ended}"


def _lines(telling: Telling) -> Iterator[str]:
    for alert in telling.alerts[:_LISTED]:
        new = "" if alert.key in telling.new else " (still)"
        yield f"- {printable(alert.where)}, {_title_of(alert)}{new}: {_first_line(alert)}"
        then = ", then accept or dismiss the run" if alert.kind is Kind.HELD else ""
        yield f"  Next: {printable(alert.next)}{then}"
    if len(telling.alerts) > _LISTED:
        yield f"- and {len(telling.alerts) - _LISTED} more, which `cloudbill status --check` has"
    for alert in telling.ended[:_LISTED]:
        run = _RUN.sub(r"\1", f", run {alert.run_id}") if alert.run_id else ""
        yield f"- over: {printable(alert.where)}, {_title_of(alert)}{printable(run)}"
    if len(telling.ended) > _LISTED:
        yield f"- over: {len(telling.ended) - _LISTED} more"
    if telling.alerts and telling.is_rest_well:
        yield "- all else is well again"


def _first_line(alert: Alert) -> str:
    """The first line of what an alert says; others are statements and steps."""
    first = _RUN.sub(r"\1", printable((alert.message.splitlines() or [""])[0]))
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}…"
