"""One thing that a person should know of, with a key by which receivers know it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final

from cloudbill.periods import BillingPeriod

__all__ = ["Alert", "Change", "Deployment", "Kind", "Scope", "age_of"]

_DIGEST: Final = 12


def age_of(scope: str, rule: str = "") -> str:
    """What stands for the age of a source among what a command judged.

    `rule` is what said which age is too old: empty for the key `max_age`.
    """
    return f"{scope} (age{rule and f' by {rule}'})"


class Kind(StrEnum):
    """What an alert is about; the values appear in messages."""

    HELD = "held"
    """A guard holds a run until a person accepts or dismisses it."""
    ALARM = "alarm"
    """A run was loaded that would have been held, had it been known before."""
    FAILED = "failed"
    """A month was not loaded, or something cannot be read."""
    WAITING = "waiting"
    """A run lacks a part for longer than `max_wait`."""
    STALE = "stale"
    """Nothing new came, or was loaded, for longer than `max_age`."""
    DIFFERS = "differs"
    """The table is not what was recorded."""
    MOVED = "moved"
    """A load changed the billed cost of a month that had closed."""
    VIEWS = "views"
    """A view is missing, or not as its tables are."""
    SAME_CHARGES = "same_charges"
    """Two sources deliver the same charges."""
    STOPPED = "stopped"
    """A load was stopped."""


class Scope(StrEnum):
    """What an alert belongs to that is of no source."""

    CONFIGURATION = "configuration"
    VIEWS = "views"
    SAME_CHARGES = "same_charges"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One amount that is another one now; `column` is that of the bill."""

    currency: str
    column: str
    old: Decimal
    new: Decimal
    difference: Decimal

    def to_json(self) -> dict[str, str]:
        """The amounts as exact text."""
        return {
            "currency": self.currency,
            "column": self.column,
            "old": f"{self.old:f}",
            "new": f"{self.new:f}",
            "difference": f"{self.difference:f}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What tells one installation of cloudbill from another one, the same on every machine.

    `warehouse` is for people: `project.dataset`, or `folder/file dataset` for DuckDB. `what` is all
    that counts, such as the bucket; only its digest is told.
    """

    warehouse: str = ""
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that a person should know of; what was found, where, and what to do next.

    `scope` is the source, or what else is judged as a whole; `error` is the class of the error
    behind it, and `next` a command. Two with the same `scope`, `period`, `kind`, `run_id`, `error`,
    `detail` and `deployment` are the same one, whatever their words are: those have ages and counts
    in them. An event is told once; anything else lasts until a command finds it no more.
    `is_mended` says of an event that the load that met it has mended it.
    """

    kind: Kind
    scope: str
    message: str
    next: str
    period: BillingPeriod | None = None
    run_id: str | None = None
    error: str | None = None
    exit_code: int = 0
    amounts: tuple[Change, ...] = ()
    detail: str = ""
    is_event: bool = False
    is_mended: bool = False
    deployment: Deployment = field(default_factory=Deployment)

    @property
    def source(self) -> str | None:
        """Its source; None for what is of no source."""
        return None if self.scope in set(Scope) else self.scope

    @property
    def judged_with(self) -> str:
        """What a command must have judged in full before this is over if it was not found.

        An age that is too old by `--max-age` is none by the key, and the other way round, so only
        the rule that found it ends it.
        """
        return age_of(self.scope, self.detail) if self.kind is Kind.STALE else self.scope

    @property
    def key(self) -> str:
        """The same on every machine, and as long as it lasts."""
        what = [self.kind, self.scope, str(self.period), self.run_id, self.error, self.detail]
        what += [self.deployment.warehouse, self.deployment.what]
        digest = sha256(json.dumps(what).encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self.scope}:{self.period or '-'}:{self.kind}:{digest[:_DIGEST]}"

    @property
    def where(self) -> str:
        """Its source and month, as far as it has any."""
        return " ".join(str(one) for one in (self.source, self.period) if one) or "cloudbill"

    def to_json(self) -> dict[str, object]:
        """Its form in a message, which `from_json` reads."""
        return {
            "key": self.key,
            "kind": str(self.kind),
            "source": self.source,
            "period": None if self.period is None else str(self.period),
            "run_id": self.run_id,
            "error": self.error,
            "exit_code": self.exit_code,
            "warehouse": self.deployment.warehouse or None,
            "is_event": self.is_event,
            "message": self.message,
            "amounts": [amount.to_json() for amount in self.amounts],
            "next": self.next,
        }

    def to_memory(self) -> dict[str, object]:
        """All of it."""
        return {
            **self.to_json(),
            "scope": self.scope,
            "detail": self.detail,
            "is_mended": self.is_mended,
            "what": self.deployment.what,
        }

    @classmethod
    def from_memory(cls, found: Mapping[str, object]) -> Alert:
        """Reads what `to_memory` wrote.

        Raises:
            ValueError: If it did not.
        """
        try:
            period = found["period"]
            return cls(
                kind=Kind(str(found["kind"])),
                scope=str(found["scope"]),
                message=str(found["message"]),
                next=str(found["next"]),
                period=None if period is None else BillingPeriod.parse(str(period)),
                run_id=_text(found["run_id"]),
                error=_text(found["error"]),
                exit_code=int(str(found["exit_code"])),
                amounts=tuple(_changes(found["amounts"])),
                detail=str(found["detail"]),
                is_event=bool(found["is_event"]),
                is_mended=bool(found["is_mended"]),
                deployment=Deployment(
                    warehouse=_text(found["warehouse"]) or "", what=str(found["what"])
                ),
            )
        except (KeyError, TypeError, ArithmeticError) as error:
            raise ValueError("No alert of this version") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _changes(found: object) -> list[Change]:
    amounts = found if isinstance(found, list) else []
    return [
        Change(
            currency=str(one["currency"]),
            column=str(one["column"]),
            old=Decimal(one["old"]),
            new=Decimal(one["new"]),
            difference=Decimal(one["difference"]),
        )
        for one in amounts
    ]
