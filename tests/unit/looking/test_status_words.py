"""Where a source stands: its exit code, its table for people, and its document for programs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cloudbill.errors import ConfigError, ManifestError, StoreError
from cloudbill.looking.status import MonthStatus, Pending, PendingRun, SourceStatus
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.manifests import ManifestFailure
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.text.failures import SourceFailure
from unit.builders import OCTOBER, RUN_ID, SEPTEMBER, at

NOW = at(22, 10)
UNREAD = ManifestFailure(path="m.json", error=ManifestError("No", path="m.json", key="k"))
NO_SOURCE = SourceFailure(source=None, error=ConfigError("no source"))


def settings() -> SourceSettings:
    """Some source."""
    given = {"bucket": "exports", "export_name": "focus", "table_name": "bill"}
    return read_source("azure_billing", PROVIDERS["azure"], [], given)


def loaded(**values: Any) -> LoadRecord:
    """October, loaded an hour after it was submitted."""
    record = LoadRecord(
        period=OCTOBER,
        run_id=RUN_ID,
        submitted_at=at(22, 1),
        loaded_at=at(22, 2),
        rows=1234,
        parts=2,
        totals={"EUR": {"BilledCost": Decimal("1204.110000000000000000")}},
    )
    return replace(record, **values)


def month(record: LoadRecord | None = None, **values: Any) -> MonthStatus:
    """October as it should be."""
    record = record or loaded()
    whole = MonthStatus(
        period=OCTOBER,
        record=record,
        costs={currency: total["BilledCost"] for currency, total in record.totals.items()},
        table_rows=1234,
    )
    return replace(whole, **values)


def pending(reason: Pending, **values: Any) -> PendingRun:
    """A run that came an hour ago."""
    run = PendingRun(
        pending=reason,
        run_id="newer",
        submitted_at=at(22, 9),
        parts=3,
        parts_missing=0,
        rows=None,
    )
    return replace(run, **values)


def status(*months: MonthStatus, **values: Any) -> SourceStatus:
    """A source that was looked at on the 22nd of October at 10 o'clock."""
    whole = SourceStatus(
        settings=settings(),
        looked_at=NOW,
        months=months,
        is_loaded_known=True,
        newest_delivery_at=at(22, 1),
        address="gs://exports/focus/",
        manifests=2,
    )
    return replace(whole, **values)


class TestExitCode:
    def test_a_delivery_that_is_as_old_as_allowed_is_not_stale(self) -> None:
        assert status(max_age=timedelta(hours=9)).exit_code == 0
        assert status(max_age=timedelta(hours=9) - timedelta(microseconds=1)).exit_code == 8
        assert status().exit_code == 0

    def test_a_stale_source_says_how_old_it_is_and_where_to_look(self) -> None:
        (error,) = status(max_age=timedelta(hours=8)).errors
        assert str(error).startswith(
            "The newest delivery was submitted 9 h ago (2025-10-22 01:00 UTC), longer ago than "
            "--max-age allows. Check the export"
        )

    def test_where_nothing_was_delivered_any_age_is_too_old(self) -> None:
        empty = status(newest_delivery_at=None, max_age=timedelta(days=999))
        assert empty.exit_code == 8
        assert status(newest_delivery_at=None).exit_code == 0

    def test_a_store_that_cannot_be_read_is_not_called_stale(self) -> None:
        gone = status(error=StoreError("no bucket"), max_age=timedelta(hours=1))
        assert (gone.exit_code, gone.stale) == (4, None)

    def test_manifests_that_cannot_be_read_count(self) -> None:
        assert status(manifest_failures=(UNREAD,)).exit_code == 3

    def test_runs_that_wait_or_are_held_are_no_error(self) -> None:
        runs = (pending(Pending.WAITING), pending(Pending.HELD, detail="held: why"))
        assert status(month(pending=runs)).exit_code == 0


class TestLines:
    def test_a_month_takes_one_line_below_its_heads(self) -> None:
        assert list(status_lines(status(month()))) == [
            "azure_billing - newest delivery 9 h ago",
            "  month    run        rows  submitted  loaded    billed cost",
            "  2025-10  0f6e1a52  1,234  9 h ago    8 h ago  1,204.11 EUR",
        ]

    def test_currencies_are_listed_and_not_added_up(self) -> None:
        costs = {"EUR": Decimal("1.5"), "USD": Decimal("-2.25"), "": Decimal(0)}
        lines = list(status_lines(status(month(costs=costs))))
        assert lines[2].endswith("1.50 EUR")
        assert lines[3].split() == ["-2.25", "USD"]
        assert lines[4].split() == ["0.00", "(no", "currency)"]

    def test_what_an_older_tool_did_not_record_is_not_known(self) -> None:
        old = loaded(submitted_at=None, loaded_at=None, rows=None, totals={})
        line = list(status_lines(status(month(old, costs=None))))[2]
        assert line.split() == ["2025-10", "0f6e1a52", "?", "?", "?", "total", "not", "recorded"]

    @pytest.mark.parametrize(
        ("run", "note"),
        [
            (
                pending(Pending.NEW, rows=1500),
                "new: run newer, submitted 1 h ago, 1,500 rows; `cloudbill load` takes it",
            ),
            (
                pending(Pending.AGAIN),
                "again: `cloudbill load` loads run newer, submitted 1 h ago, again",
            ),
            (
                pending(Pending.WAITING, parts_missing=2),
                "waiting: run newer, submitted 1 h ago, 2 of 3 parts missing",
            ),
            (
                pending(Pending.HELD, detail="held: it has 1 row, the loaded run a has 9"),
                (
                    "held: run newer, submitted 1 h ago: it has 1 row, the loaded run a has 9; "
                    "`cloudbill accept 2025-10 --source azure_billing` loads it, "
                    "`cloudbill dismiss azure_billing 2025-10` ends the alarm"
                ),
            ),
        ],
    )
    def test_a_run_that_is_not_loaded_says_why_and_what_to_do(
        self, run: PendingRun, note: str
    ) -> None:
        lines = list(status_lines(status(month(pending=(run,)))))
        assert " ".join(line.strip() for line in lines[3:]) == note

    def test_more_than_three_runs_of_a_month_are_counted(self) -> None:
        runs = (pending(Pending.WAITING, parts_missing=1),) * 5
        lines = list(status_lines(status(month(pending=runs))))
        assert len(lines) == 7
        assert lines[-1].strip() == "and 2 older runs that are waiting, held or gone"

    def test_a_table_that_was_changed_is_told(self) -> None:
        lines = list(status_lines(status(month(table_rows=1000))))
        assert [line.strip() for line in lines[3:5]] == [
            "changed: above is what was loaded, not what the table holds now",
            "the table holds 1,000 rows, 1,234 were loaded",
        ]
        alone = MonthStatus(period=SEPTEMBER, table_rows=5)
        assert "the table holds 5 rows that belong to no" in list(status_lines(status(alone)))[3]

    def test_missing_months_that_follow_each_other_share_a_line(self) -> None:
        years = [BillingPeriod(year=2025, month=number) for number in (9, 8, 7)]
        one = status(month(), MonthStatus(period=SEPTEMBER))
        many = status(month(), *(MonthStatus(period=period) for period in years))
        assert list(status_lines(one))[3:] == [
            "  2025-09  -             -  -          -",
            "      missing: nothing was delivered or loaded",
        ]
        assert " ".join(line.strip() for line in list(status_lines(many))[4:]) == (
            "missing, like every month since 2025-07: nothing was delivered or loaded"
        )

    def test_an_empty_store_says_where_it_looked(self) -> None:
        empty = status(newest_delivery_at=None, manifests=0)
        assert list(status_lines(empty)) == [
            "azure_billing - nothing complete was delivered yet",
            "  Nothing was found in gs://exports/focus/; check 'prefix' and 'export_name'",
            "  Nothing is loaded",
        ]

    def test_what_is_loaded_is_told_though_the_store_cannot_be_read(self) -> None:
        gone = status(month(), error=StoreError("no bucket"), address=None)
        lines = list(status_lines(gone))
        assert lines[0] == (
            "azure_billing - the store cannot be read; the loaded delivery came 9 h ago"
        )
        assert lines[2].endswith("1,204.11 EUR")

    def test_of_a_warehouse_that_cannot_be_read_nothing_is_claimed(self) -> None:
        closed = SourceStatus(settings=settings(), looked_at=NOW, error=StoreError("locked"))
        assert list(status_lines(closed)) == ["azure_billing - what is loaded cannot be read"]

    def test_lines_fit_eighty_columns_even_with_eighteen_digits(self) -> None:
        runs = (pending(Pending.HELD, run_id=RUN_ID, detail=f"held: it has 3, {RUN_ID} has 9"),)
        costs = {"EUR": Decimal("12345678.123456789012345678"), "USD": Decimal("0.5")}
        record = loaded(submitted_at=at(1), loaded_at=at(2), rows=123_456_789)
        lines = list(status_lines(status(month(record, costs=costs, pending=runs)), exact=True))
        assert max(map(len, lines)) <= 80
        assert "12,345,678.123456789012345678 EUR" in "\n".join(lines)

    @pytest.mark.parametrize("width", [60, 80, 200])
    def test_rounded_amounts_are_whole_in_every_terminal(self, width: int) -> None:
        record = loaded(submitted_at=at(1), loaded_at=at(2), rows=123_456_789)
        seen = status(month(record, costs={"EUR": Decimal("12345678.126")}))
        lines = list(status_lines(seen, width=width))
        assert max(map(len, lines)) <= width
        assert lines[3 if width == 60 else 2].endswith(" 12,345,678.13 EUR")

    def test_names_cannot_command_the_terminal(self) -> None:
        run = pending(Pending.WAITING, run_id="\x1b[2J")
        assert "\x1b" not in "".join(status_lines(status(month(pending=(run,)))))


class TestDocument:
    def test_it_has_times_in_utc_exact_amounts_and_every_run(self) -> None:
        waits = pending(Pending.WAITING, parts_missing=1, detail="waiting, 2/3 parts there")
        looked = status(month(pending=(waits,)), MonthStatus(period=SEPTEMBER))
        document = json.loads(status_json([looked]))
        assert document == {
            "sources": [
                {
                    "source": "azure_billing",
                    "table": "bill",
                    "looked_at": "2025-10-22T10:00:00+00:00",
                    "newest_delivery_at": "2025-10-22T01:00:00+00:00",
                    "newest_delivery_age_s": 32400,
                    "is_stale": False,
                    "reasons": [],
                    "rows_of_no_month": 0,
                    "months": [
                        {
                            "period": "2025-10",
                            "state": "loaded",
                            "loaded": {
                                "run_id": RUN_ID,
                                "submitted_at": "2025-10-22T01:00:00+00:00",
                                "loaded_at": "2025-10-22T02:00:00+00:00",
                                "rows": 1234,
                                "parts": 2,
                                "billed_cost": {"EUR": "1204.110000000000000000"},
                                "totals": {"EUR": {"BilledCost": "1204.110000000000000000"}},
                            },
                            "table_rows": 1234,
                            "ledger_differences": [],
                            "uncovered_days": [],
                            "inexact_columns": {},
                            "pending": [
                                {
                                    "reason": "waiting",
                                    "run_id": "newer",
                                    "submitted_at": "2025-10-22T09:00:00+00:00",
                                    "parts": 3,
                                    "parts_missing": 1,
                                    "rows": None,
                                    "detail": "waiting, 2/3 parts there",
                                    "guard": None,
                                }
                            ],
                        },
                        {
                            "period": "2025-09",
                            "state": "missing",
                            "loaded": None,
                            "table_rows": 0,
                            "ledger_differences": [],
                            "uncovered_days": [],
                            "inexact_columns": {},
                            "pending": [],
                        },
                    ],
                }
            ],
            "same_charges": [],
            "views": [],
            "left_out": [],
            "failures": [],
        }

    def test_every_error_is_a_failure(self) -> None:
        stale = status(max_age=timedelta(hours=1), manifest_failures=(UNREAD,))
        document = json.loads(status_json([stale], [NO_SOURCE]))
        assert [(entry["source"], entry["error"]) for entry in document["failures"]] == [
            (None, "ConfigError"),
            ("azure_billing", "ManifestError"),
            ("azure_billing", "StaleError"),
        ]
        assert document["sources"][0]["is_stale"] is True
