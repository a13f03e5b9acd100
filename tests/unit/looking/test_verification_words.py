"""What verifying found, as lines for people and as one JSON document."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cloudbill.errors import CloudbillError, ConfigError, LoadError, StoreError
from cloudbill.looking.comparison import Difference, MonthReport, RecordDifference, Verdict
from cloudbill.looking.verification import MonthFailure, Verified
from cloudbill.looking.verification_words import closing_lines, month_lines, verification_json
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.text.failures import SourceFailure
from unit.builders import OCTOBER


def difference(day: str | None = "2025-10-03", currency: str = "EUR") -> Difference:
    """A cent too much."""
    return Difference(
        currency=currency,
        day=day,
        column="BilledCost",
        files=Decimal("1.000000000000000000"),
        warehouse=Decimal("1.010000000000000000"),
    )


RECORDED = RecordDifference(currency=None, column="rows", ledger=Decimal(8), warehouse=Decimal(7))


def report(
    verdict: Verdict = Verdict.EQUAL,
    *differences: Difference,
    recorded: tuple[RecordDifference, ...] = (),
    reason: str | None = None,
) -> MonthReport:
    """A report of October."""
    return MonthReport(
        source="azure_billing",
        period=OCTOBER,
        run_id="a",
        verdict=verdict,
        files_rows=7,
        warehouse_rows=7,
        ledger_rows=8,
        differences=differences,
        record_differences=recorded,
        reason=reason,
    )


NO_SOURCE = SourceFailure(source=None, error=ConfigError("no source"))


def settings() -> SourceSettings:
    """Some source."""
    given = {"bucket": str(Path.cwd()), "export_name": "focus"}
    return read_source("azure_billing", PROVIDERS["azure"], [], given)


def failure(error: CloudbillError) -> MonthFailure:
    """October could not be read."""
    return MonthFailure(source="azure_billing", period=OCTOBER, run_id="a", error=error)


class TestLines:
    def test_a_month_that_is_equal_takes_one_line(self) -> None:
        assert list(month_lines(report())) == [
            "azure_billing 2025-10 (run_id: a) equal - 7 rows, and every cost by currency and day"
        ]

    def test_what_differs_stands_below_its_month_what_was_recorded_first(self) -> None:
        month = report(Verdict.DIFFERENT, difference(), recorded=(RECORDED,), reason="why")
        assert list(month_lines(month)) == [
            "azure_billing 2025-10 (run_id: a) different - why",
            "  rows of the month: 8 recorded, 7 in the table, difference -1",
            ("  EUR 2025-10-03 BilledCost: 1.00 in the files, 1.01 in the table, difference 0.01"),
        ]

    def test_no_more_than_twenty_differences_are_listed(self) -> None:
        month = report(Verdict.DIFFERENT, *[difference()] * 23, reason="why")
        lines = list(month_lines(month))
        assert len(lines) == 22
        assert lines[-1] == "  and 3 more"

    def test_text_of_the_data_cannot_command_the_terminal(self) -> None:
        month = report(Verdict.DIFFERENT, difference(currency="\x1b[2J\n"), reason="why")
        _, line = month_lines(month)
        assert line.startswith(r"  '\x1b[2J\n' 2025-10-03 BilledCost")

    def test_rows_without_currency_or_day_are_called_so(self) -> None:
        _, line = month_lines(report(Verdict.DIFFERENT, difference(day=None, currency="")))
        assert line.startswith("  no currency no day BilledCost")

    def test_failures_and_what_ended_a_source_close_it(self) -> None:
        verified = Verified(
            settings=settings(), failures=(failure(StoreError("cut off")),), error=LoadError("lock")
        )
        assert list(closing_lines(verified)) == [
            "Failed azure_billing 2025-10 (run_id: a) - cut off",
            "Failed azure_billing - lock",
        ]

    def test_a_source_without_months_says_so(self) -> None:
        (line,) = closing_lines(Verified(settings=settings()))
        assert line.startswith("azure_billing has nothing to verify")
        assert list(closing_lines(Verified(settings=settings(), months=(report(),)))) == []


class TestDocument:
    def test_a_month_has_its_rows_and_every_difference_as_exact_text(self) -> None:
        month = report(Verdict.DIFFERENT, difference(), recorded=(RECORDED,), reason="why")
        document = json.loads(verification_json([Verified(settings=settings(), months=(month,))]))
        assert document == {
            "months": [
                {
                    "source": "azure_billing",
                    "period": "2025-10",
                    "run_id": "a",
                    "result": "different",
                    "rows": {"files": 7, "warehouse": 7, "ledger": 8},
                    "differences": [
                        {
                            "currency": "EUR",
                            "day": "2025-10-03",
                            "column": "BilledCost",
                            "files": "1.000000000000000000",
                            "warehouse": "1.010000000000000000",
                            "difference": "0.010000000000000000",
                        }
                    ],
                    "ledger_differences": [
                        {
                            "currency": None,
                            "column": "rows",
                            "ledger": "8",
                            "warehouse": "7",
                            "difference": "-1",
                        }
                    ],
                    "reason": "why",
                }
            ]
        }

    def test_failures_stand_beside_the_months(self) -> None:
        verified = Verified(settings=settings(), failures=(failure(StoreError("cut off")),))
        document = json.loads(verification_json([verified], [NO_SOURCE]))
        assert [entry["error"] for entry in document["failures"]] == ["ConfigError", "StoreError"]
        assert document["failures"][1]["period"] == "2025-10"


class TestExitCode:
    @pytest.mark.parametrize(
        ("verdicts", "lenient", "strict"),
        [
            (["equal"], 0, 0),
            (["equal", "not_checkable"], 0, 7),
            (["equal", "different"], 7, 7),
            ([], 0, 7),
        ],
    )
    def test_a_difference_is_7_and_with_strict_so_is_what_cannot_be_checked(
        self, verdicts: list[str], lenient: int, strict: int
    ) -> None:
        months = tuple(report(Verdict(verdict)) for verdict in verdicts)
        verified = Verified(settings=settings(), months=months)
        assert (verified.exit_code(strict=False), verified.exit_code(strict=True)) == (
            lenient,
            strict,
        )

    def test_an_error_has_its_own_code(self) -> None:
        verified = Verified(settings=settings(), failures=(failure(StoreError("cut off")),))
        assert verified.exit_code(strict=True) == 4
        assert Verified(settings=settings(), error=LoadError("")).exit_code(strict=True) == 5
