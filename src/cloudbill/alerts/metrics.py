"""The state of the sources as a file for the textfile collector of Prometheus' node_exporter.

What is not known is not in the file: an absent sample says so, and 0 would not. The form is the
text format of Prometheus ("Exposition formats").
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cloudbill.looking.status import Pending

if TYPE_CHECKING:
    from cloudbill.looking.status import MonthStatus, SourceStatus
    from cloudbill.periods import BillingPeriod

__all__ = ["RunMetrics", "SourceMetrics", "last_successes", "metrics_text", "source_metrics"]

_LAST_SUCCESS: Final = "cloudbill_last_success_timestamp_seconds"
_HELP: Final = {
    "cloudbill_info": "The version of cloudbill that wrote this file.",
    "cloudbill_run_timestamp_seconds": "When the command ended, in seconds since 1970.",
    "cloudbill_run_duration_seconds": "How long the command took.",
    "cloudbill_run_exit_code": "What the command ended with; 0 is well, 6 means that a run is "
    "held, 130 that it was stopped.",
    _LAST_SUCCESS: "When a load of the source last ended without a failure, in seconds since 1970.",
    "cloudbill_newest_delivery_timestamp_seconds": "When the newest complete run of the source was "
    "submitted, in seconds since 1970.",
    "cloudbill_newest_delivery_age_seconds": "How old that was when the source was looked at.",
    "cloudbill_months": "Months of the source by what is the matter with them; one may be loaded "
    "and held.",
    "cloudbill_rows_loaded": "Rows that this run loaded.",
    "cloudbill_table_rows": "Rows of the table of the source.",
    "cloudbill_reasons": "Things of the source that a person should look at, as `status --check` "
    "counts them.",
}
_SAMPLE: Final = re.compile(
    rf'{_LAST_SUCCESS}{{command="[^"]*",source="(?P<source>(?:[^"\\]|\\.)*)"}} (?P<at>[0-9.]+)'
)
_ESCAPES: Final = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetrics:
    """What a run of a command was; `sources` is its argument."""

    command: str
    sources: str
    version: str
    ended_at: datetime
    seconds: float
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMetrics:
    """What is known of a source; None is unknown."""

    source: str
    succeeded_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_age_s: float | None = None
    months: Mapping[str, int] | None = None
    rows_loaded: int | None = None
    table_rows: int | None = None
    reasons: int | None = None


def source_metrics(
    source: str,
    status: SourceStatus | None,
    *,
    reasons: int | None,
    failed: Collection[BillingPeriod] = (),
    rows_loaded: int | None = None,
    succeeded_at: datetime | None = None,
    before: datetime | None = None,
) -> SourceMetrics:
    """What a status says of a source, as far as it was read.

    `reasons` is how many things a person is told to look at, None if that is not known; `failed`
    are months that a load just now failed to load, which the ledger may not have.
    `succeeded_at` is when a load of it ended well just now; where none did, it is the newest of
    what the ledger says and of what was known `before`.
    """
    if status is None:
        return SourceMetrics(
            source=source,
            succeeded_at=succeeded_at or before,
            rows_loaded=rows_loaded,
            reasons=reasons,
        )
    recorded = [month.record.loaded_at for month in status.months if month.record is not None]
    loads = [at for at in (*recorded, before) if at is not None]
    is_whole = status.address is not None and status.error is None
    age = status.age if is_whole else None
    return SourceMetrics(
        source=source,
        succeeded_at=succeeded_at or max(loads, default=None),
        delivered_at=status.newest_delivery_at if is_whole else None,
        delivery_age_s=None if age is None else age.total_seconds(),
        months=_months(status, failed, is_whole=is_whole) if status.is_loaded_known else None,
        rows_loaded=rows_loaded,
        table_rows=sum(month.table_rows for month in status.months) + status.rows_of_no_month
        if status.is_loaded_known
        else None,
        reasons=reasons,
    )


def _months(
    status: SourceStatus, failed: Collection[BillingPeriod], *, is_whole: bool
) -> dict[str, int]:
    """How many months there are of each kind; those of the store only where it was read.

    Where it was not, nobody knows which months could not be loaded for that.
    """
    found = {"loaded": sum(month.record is not None for month in status.months)}
    if is_whole:
        recorded = {month.period for month in status.months if month.failure is not None}
        found["failed"] = len(recorded.union(failed))
        found["held"] = sum(_has(month, Pending.HELD) for month in status.months)
        found["waiting"] = sum(_has(month, Pending.WAITING) for month in status.months)
    return found


def _has(month: MonthStatus, pending: Pending) -> bool:
    return any(run.pending is pending for run in month.pending)


def metrics_text(run: RunMetrics, sources: Iterable[SourceMetrics]) -> str:
    """The content of the file."""
    samples: dict[str, list[str]] = {name: [] for name in _HELP}

    def add(name: str, value: float | None, **labels: str) -> None:
        if value is not None:
            told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            samples[name].append(f"{name}{{{told}}} {_number(value)}")

    of_run = {"command": run.command, "sources": run.sources}
    add("cloudbill_info", 1, **of_run, version=run.version)
    add("cloudbill_run_timestamp_seconds", run.ended_at.timestamp(), **of_run)
    add("cloudbill_run_duration_seconds", run.seconds, **of_run)
    add("cloudbill_run_exit_code", run.exit_code, **of_run)
    for one in sorted(sources, key=lambda one: one.source):
        of_source = {"command": run.command, "source": one.source}
        add(_LAST_SUCCESS, _seconds(one.succeeded_at), **of_source)
        delivered = _seconds(one.delivered_at)
        add("cloudbill_newest_delivery_timestamp_seconds", delivered, **of_source)
        add("cloudbill_newest_delivery_age_seconds", one.delivery_age_s, **of_source)
        for state, count in (one.months or {}).items():
            add("cloudbill_months", count, **of_source, state=state)
        add("cloudbill_rows_loaded", one.rows_loaded, **of_source)
        add("cloudbill_table_rows", one.table_rows, **of_source)
        add("cloudbill_reasons", one.reasons, **of_source)
    return "".join(_families(samples))


def _families(samples: Mapping[str, list[str]]) -> Iterator[str]:
    for name, lines in samples.items():
        if lines:
            yield f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n"
            yield from (f"{line}\n" for line in lines)


def last_successes(text: str) -> dict[str, float]:
    """When loads last ended well, by source, as a file says that was written before."""
    return {
        re.sub(r"\\[\\\"n]", lambda found: _ESCAPES[found[0]], match["source"]): float(match["at"])
        for match in _SAMPLE.finditer(text)
    }


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _escaped(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    # A name on disk may be no text at all, and the file is UTF-8.
    return escaped.encode("utf-8", "backslashreplace").decode()
