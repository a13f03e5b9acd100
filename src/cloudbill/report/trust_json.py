"""The part of the page's data that says how far its amounts can be trusted; pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cloudbill.periods import BillingPeriod
from cloudbill.report.model import SourceReport
from cloudbill.report.trust import (
    AmountCheck,
    Closing,
    MonthTrust,
    closings_of,
    doubles_of,
    missing_months,
    months_of,
)
from cloudbill.text.times import shown_days

__all__ = ["trust_json"]


def trust_json(reports: tuple[SourceReport, ...]) -> dict[str, object]:
    """Freshness, agreement, rows of no month, gaps, failures, pins, pending runs, doubles, changes.

    A source is its index in the reports, and amounts are exact text.
    """
    numbered = list(enumerate(reports))
    names = [report.source for report in reports]
    return {
        "freshness": [_freshness(index, report) for index, report in numbered],
        "months": [
            _month(index, month) for index, report in numbered for month in months_of(report)
        ],
        "missing": [
            {"source": index, "month": str(period)}
            for index, report in numbered
            for period in missing_months(report)
        ],
        "of_no_month": [
            {"source": index, "rows": report.rows_of_no_month}
            for index, report in numbered
            if report.rows_of_no_month
        ],
        "uncovered": [
            {"source": index, "month": str(period), "days": shown_days(days)}
            for index, report in numbered
            for period, days in sorted(report.store.uncovered.items(), reverse=True)
        ],
        "failures": [entry for index, report in numbered for entry in _failures(index, report)],
        "pins": [entry for index, report in numbered for entry in _pins(index, report)],
        "open": [
            {"source": index, "month": _text(point.period), "message": point.message}
            for index, report in numbered
            for point in report.open_points
        ],
        "pending": [entry for index, report in numbered for entry in _pending(index, report)],
        "doubles": [
            {
                "sources": [names.index(source) for source in double.sources],
                "scope": double.scope,
                "months": [str(period) for period in double.periods],
            }
            for double in doubles_of(reports)
        ],
        "closings": [
            _closing(index, closing)
            for index, report in numbered
            for closing in closings_of(report)
        ],
    }


def _freshness(index: int, report: SourceReport) -> dict[str, object]:
    records = list(report.loaded.values())
    return {
        "source": index,
        "newest_month": max((str(period) for period in report.loaded), default=None),
        "submitted_at": _iso(
            max((r.submitted_at for r in records if r.submitted_at), default=None)
        ),
        "loaded_at": _iso(max((r.loaded_at for r in records if r.loaded_at), default=None)),
        "store_submitted_at": _iso(report.store.newest_submitted_at),
        "store_error": report.store.error or report.error,
        "unreadable": list(report.store.unreadable),
        "newest_delivery_at": _iso(report.newest_delivery_at),
        "has_max_age": report.max_age is not None,
        "is_stale": report.is_stale,
    }


def _month(index: int, month: MonthTrust) -> dict[str, object]:
    record = month.record
    return {
        "source": index,
        "month": str(month.period),
        "agreement": str(month.agreement),
        "complete": month.is_complete,
        "run_id": record.run_id if record else None,
        "submitted_at": _iso(record.submitted_at) if record else None,
        "loaded_at": _iso(record.loaded_at) if record else None,
        "rows": record.rows if record else None,
        "held_rows": month.rows_in_table,
        "amounts": [_check(amount) for amount in month.amounts],
    }


def _check(check: AmountCheck) -> list[str]:
    return [
        check.currency,
        check.column,
        f"{check.recorded:f}",
        f"{check.in_table:f}",
        f"{check.difference:f}",
    ]


def _pending(index: int, report: SourceReport) -> Iterator[dict[str, object]]:
    for run in report.store.pending:
        yield {
            "source": index,
            "month": str(run.period),
            "run_id": run.run_id,
            "submitted_at": _iso(run.submitted_at),
            "state": str(run.state),
            "detail": run.detail,
            "is_alike": run.is_alike,
        }


def _failures(index: int, report: SourceReport) -> Iterator[dict[str, object]]:
    for one in report.failures:
        yield {
            "source": index,
            "month": _text(one.period),
            "run_id": one.run_id,
            "at": _iso(one.at),
            "message": one.message,
        }


def _pins(index: int, report: SourceReport) -> Iterator[dict[str, object]]:
    for one in report.pins:
        yield {
            "source": index,
            "month": str(one.period),
            "run_id": one.run_id,
            "newest": one.newest,
            "is_loaded": one.is_loaded,
            "is_stored": one.is_stored,
        }


def _closing(index: int, closing: Closing) -> dict[str, object]:
    moved = closing.since_close
    return {
        "source": index,
        "month": str(closing.period),
        "currency": closing.currency,
        "loads": closing.loads,
        "first": f"{closing.first:f}",
        "now": f"{closing.now:f}",
        "closed": None if closing.closed is None else f"{closing.closed:f}",
        "closed_at": _iso(closing.closed_at),
        "moved": None if moved is None else f"{moved:f}",
    }


def _text(period: BillingPeriod | None) -> str | None:
    return None if period is None else str(period)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
