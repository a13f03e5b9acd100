"""The message about some alerts: a title of one line, a text for a chat, and a JSON document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from cloudbill.alerts.alert import Kind
from cloudbill.redaction import redacted
from cloudbill.text.table import printable
from cloudbill.text.times import iso_time

if TYPE_CHECKING:
    from cloudbill.alerts.alert import Alert
    from cloudbill.alerts.memory import Telling

__all__ = ["Message", "MessageKind", "message_of", "test_message"]

_FORM: Final = 1
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
class Message:
    """What a destination gets, in each of its forms; no secret is in it."""

    kind: MessageKind
    title: str
    text: str
    document: str


def message_of(telling: Telling, *, command: str, exit_code: int, now: datetime) -> Message:
    """The message about what a command found."""
    kind = MessageKind.ALERT if telling.alerts else MessageKind.WELL
    title = _title(telling)
    reasons = [{**alert.to_json(), "is_new": alert.key in telling.new} for alert in telling.alerts]
    return _message(
        kind,
        title,
        _text(telling, title, f"`{command}` ended with exit code {exit_code}"),
        command=command,
        exit_code=exit_code,
        now=now,
        reasons=reasons,
        ended=[alert.to_json() for alert in telling.ended],
    )


def test_message(now: datetime) -> Message:
    """The message by which a person sees that messages arrive."""
    title = "cloudbill: a test message"
    text = f"{title}\nNothing is wrong. Whoever reads this is told what cloudbill finds."
    return _message(
        MessageKind.TEST,
        title,
        text,
        command="cloudbill notify",
        exit_code=0,
        now=now,
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
        "reasons": reasons,
        "ended": ended,
    }
    # As text, and not each of its values: a secret may be part of any of them.
    safe = {name: _safe(value) for name, value in document.items()}
    return Message(
        kind=kind,
        title=redacted(title),
        text=redacted(text),
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


def _title(telling: Telling) -> str:
    if not telling.alerts:
        wheres = list(dict.fromkeys(alert.where for alert in telling.ended))
        whose = f" with {wheres[0]}" if len(wheres) == 1 else ""
        return printable(f"cloudbill: all is well again{whose}")
    counted = Counter(_TITLES[alert.kind] for alert in telling.alerts)
    if len(telling.alerts) == 1:
        (alert,) = telling.alerts
        return printable(f"{alert.where}: {_TITLES[alert.kind]}")
    kinds = ", ".join(f"{count} {words}" for words, count in counted.items())
    return f"cloudbill: {len(telling.alerts)} things to look at ({kinds})"


def _text(telling: Telling, title: str, how: str) -> str:
    return "\n".join([title, *_lines(telling), how])


def _lines(telling: Telling) -> Iterator[str]:
    for alert in telling.alerts[:_LISTED]:
        new = "" if alert.key in telling.new else " (still)"
        yield f"- {printable(alert.where)}, {_TITLES[alert.kind]}{new}: {_first_line(alert)}"
        yield f"  Next: {printable(alert.next)}"
    if len(telling.alerts) > _LISTED:
        yield f"- and {len(telling.alerts) - _LISTED} more, which `cloudbill status --check` has"
    for alert in telling.ended[:_LISTED]:
        run = f", run {alert.run_id}" if alert.run_id else ""
        yield f"- over: {printable(alert.where)}, {_TITLES[alert.kind]}{printable(run)}"
    if len(telling.ended) > _LISTED:
        yield f"- over: {len(telling.ended) - _LISTED} more"


def _first_line(alert: Alert) -> str:
    """The first line of what an alert says; others are statements and steps."""
    first = printable((alert.message.splitlines() or [""])[0])
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}…"
