"""Makes alerts of what the commands found, in the words of `status --check`; judges nothing itself.

After a load the status of each source is read, as `status --check` reads it. What the load met
itself comes first, for it says more than that a try has failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cloudbill.alerts.alert import Alert, Change, Kind, Scope
from cloudbill.errors import (
    CloudbillError,
    HeldError,
    LastTryError,
    ManifestError,
    StaleError,
    StoppedError,
    VerificationError,
)
from cloudbill.loading.words import note_lines
from cloudbill.looking.status import held_reason
from cloudbill.models import Reason

if TYPE_CHECKING:
    from cloudbill.loading.events import Drifted
    from cloudbill.loading.outcome import Outcome
    from cloudbill.looking.status import SourceStatus
    from cloudbill.text.failures import SourceFailure

__all__ = [
    "age_rule",
    "alert_of_failure",
    "alerts_of_drift",
    "alerts_of_load",
    "alerts_of_outcome",
    "alerts_of_status",
    "alerts_of_views",
    "stopped_alert",
]

_KINDS: Final = {
    HeldError: Kind.HELD,
    StaleError: Kind.STALE,
    VerificationError: Kind.DIFFERS,
}


def alerts_of_status(status: SourceStatus) -> tuple[Alert, ...]:
    """What lasts of a source: all that `status --check` says of it."""
    source = status.settings.source
    found = [_of_manifest(source, failure.error) for failure in status.manifest_failures]
    found += [
        _of_error(source, error, age_rule(status))
        for error in (status.error, status.stale)
        if error
    ]
    # The plan alarms of runs that lack parts, the status also of those that lack none.
    waiting = {id(reason) for reason in status.surveyed if reason.run_id is not None}
    found += [
        _of_reason(
            source,
            reason,
            _failed_with(status, reason),
            is_waiting=id(reason) in waiting,
            rule=age_rule(status),
        )
        for reason in status.reasons
    ]
    return tuple(found)


def age_rule(status: SourceStatus) -> str:
    """What said which age is too old: empty for the key, and the option with its value."""
    if status.max_age is None or status.is_by_key:
        return ""
    return f"{status.max_age_name} {status.max_age.total_seconds():.0f} s"


def alerts_of_outcome(outcome: Outcome) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """What lasts of what a load of a source met, and the events."""
    source = outcome.settings.source
    lasting = [
        _of_reason(
            source,
            Reason(
                error=failure.error,
                period=failure.planned.period,
                run_id=failure.planned.manifest.run_id,
            ),
        )
        for failure in outcome.failures
        if not isinstance(failure.error, StoppedError)
    ]
    lasting += [_of_manifest(source, failure.error) for failure in outcome.manifest_failures]
    lasting += [_of_error(source, outcome.error)] if outcome.error is not None else []
    events = [
        Alert(
            kind=Kind.ALARM,
            scope=source,
            period=result.planned.period,
            run_id=result.planned.manifest.run_id,
            error=HeldError.__name__,
            exit_code=HeldError.exit_code,
            message=[*note_lines(result)][-1],
            next=f"cloudbill status {source}",
            is_event=True,
        )
        for result in outcome.results
        if result.alarm is not None
    ]
    return tuple(lasting), tuple(events)


def alerts_of_load(
    outcome: Outcome, status: SourceStatus | None
) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
    """What lasts of a source after a load, and the events; without a status what the load knows."""
    source = outcome.settings.source
    lasting, events = alerts_of_outcome(outcome)
    found = {alert.key: alert for alert in lasting}
    # Another word for the same try: the status has it as the last one.
    for alert in alerts_of_status(status) if status else ():
        found.setdefault(alert.key, alert)
    met = [
        _of_reason(source, reason, is_waiting=reason.run_id is not None)
        for reason in outcome.reasons
    ]
    if status is None:
        met += [_of_reason(source, reason) for reason in _held(outcome)]
    for alert in met:
        found.setdefault(alert.key, alert)
    return tuple(found.values()), events


def alerts_of_drift(outcome: Outcome, drifted: Iterable[Drifted]) -> Iterator[Alert]:
    """The months that something else had changed and that a load was to load again: events.

    Whether it did is in the outcome; why it did not is told as what failed.
    """
    source = outcome.settings.source
    loaded = {result.planned.period for result in outcome.results}
    for one in drifted:
        if one.is_loaded_again:
            record = one.record
            is_mended = record.period in loaded
            yield Alert(
                kind=Kind.DIFFERS,
                scope=source,
                period=record.period,
                run_id=record.run_id,
                message=_drift_message(outcome, one, is_mended=is_mended),
                next=f"cloudbill history {source} --month {record.period}",
                amounts=tuple(
                    Change(
                        currency=difference.currency,
                        column=difference.column,
                        old=difference.ledger,
                        new=difference.warehouse,
                        difference=difference.difference,
                    )
                    for difference in one.differences
                    if difference.currency is not None  # else it is the number of rows
                ),
                detail=f"{record.sequence} {one.found}",
                is_event=True,
                is_mended=is_mended,
            )


def _drift_message(outcome: Outcome, drifted: Drifted, *, is_mended: bool) -> str:
    record = drifted.record
    table = f"{outcome.settings.dataset}.{outcome.settings.table_name}"
    found = f"{record.period} in {table} was not as it was recorded: {drifted.found}"
    if is_mended:
        return (
            f"{found}. This load loaded the month again, and it now holds what was delivered. "
            "Nothing is left to be loaded; find out whether somebody changed the table, or a load "
            "was killed before it recorded the month"
        )
    return f"{found}. This load was to load the month again, and did not: it is as it was found"


def alerts_of_views(errors: Iterable[CloudbillError]) -> Iterator[Alert]:
    """The views that are not as they should be, or could not be made or looked at."""
    for error in errors:
        yield Alert(
            kind=Kind.VIEWS,
            scope=Scope.VIEWS,
            error=type(error).__name__,
            exit_code=error.exit_code,
            message=str(error),
            next="cloudbill focus",
            detail=str(error) if isinstance(error, StaleError) else "",
        )


def alert_of_failure(failure: SourceFailure) -> Alert:
    """What ended a source, or the reading of the configuration, before it had a result."""
    return _of_error(failure.source or Scope.CONFIGURATION, failure.error)


def stopped_alert(selection: str, exit_code: int) -> Alert:
    """That a load was stopped, which nobody at a terminal did."""
    return Alert(
        kind=Kind.STOPPED,
        scope=Scope.COMMAND,
        error=StoppedError.__name__,
        exit_code=exit_code,
        message="The load was stopped by a signal before it had ended, for example by the time "
        "limit of a scheduler. The months that it had loaded are kept, the others are as they "
        "were; the next load goes on",
        next=f"cloudbill load {selection}",
        is_event=True,
    )


def _held(outcome: Outcome) -> Iterator[Reason]:
    for skip in outcome.skips:
        if skip.is_held and not skip.is_alike:
            yield held_reason(
                outcome.settings.source,
                skip.manifest.period,
                skip.manifest.run_id,
                detail=skip.detail,
                guard=skip.guard,
                older_alike=skip.older_alike,
            )


def _failed_with(status: SourceStatus, reason: Reason) -> str | None:
    """The class of the error of a try that failed."""
    if not isinstance(reason.error, LastTryError):
        return None
    failures = {month.period: month.failure for month in status.months}
    failure = status.failure if reason.period is None else failures.get(reason.period)
    return None if failure is None else failure.error


def _of_error(scope: str, error: CloudbillError, rule: str = "") -> Alert:
    kind = Kind.STALE if isinstance(error, StaleError) else Kind.FAILED
    return Alert(
        kind=kind,
        scope=scope,
        error=type(error).__name__,
        exit_code=error.exit_code,
        message=str(error),
        next=_next(kind, scope, error),
        detail=error.path if isinstance(error, ManifestError) else rule,
    )


def _of_manifest(source: str, error: CloudbillError) -> Alert:
    """That one manifest cannot be read; the first line has all, for it is what most people see."""
    alert = _of_error(source, error)
    first, *others = alert.message.splitlines() or [""]
    path = error.path if isinstance(error, ManifestError) else ""
    named = "" if path in first else f" (in {path})"
    what = f"{first.removesuffix('.')}{named}. Other runs are loaded as usual; deliver this one"
    return replace(alert, message="\n".join([f"{what} again", *others]))


def _of_reason(
    source: str,
    reason: Reason,
    failed_with: str | None = None,
    *,
    is_waiting: bool = False,
    rule: str = "",
) -> Alert:
    error = reason.error
    kind = _KINDS.get(type(error), Kind.FAILED)
    if kind is Kind.STALE and is_waiting:
        kind = Kind.WAITING
    guard = error.guard if isinstance(error, HeldError) else None
    return Alert(
        kind=kind,
        scope=source,
        period=reason.period,
        run_id=reason.run_id,
        error=failed_with or type(error).__name__,
        exit_code=error.exit_code,
        message=str(error),
        next=_next(kind, source, error, reason),
        detail=rule if kind is Kind.STALE else str(guard or ""),
    )


def _next(kind: Kind, scope: str, error: CloudbillError, reason: Reason | None = None) -> str:
    """The command to begin with."""
    source = "" if scope == Scope.CONFIGURATION else f" {scope}"
    period = None if reason is None else reason.period
    match kind:
        case Kind.HELD:
            return f"cloudbill status{source}"  # to accept or to dismiss it comes after a look
        case Kind.WAITING:
            return f"cloudbill plan{source}"
        case Kind.FAILED if error.is_of_run:
            return f"cloudbill status{source} --check"  # to load it again would fail again
        case Kind.FAILED | Kind.STALE if period is not None:
            return f"cloudbill load{source} --month {period}"
        case _:
            return f"cloudbill doctor{source}"
