"""What people and programs are told: plain lines, and one JSON document."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudbill.errors import (
    CloudbillError,
    ConfigError,
    Guard,
    LoadError,
    ManifestError,
    StoreError,
)
from cloudbill.loading.events import Discovered, Event, LoadFinished, LoadStarted, NewlyHeld
from cloudbill.loading.log_lines import event_log_line
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.plan_words import planned_line, planned_lines, planned_months
from cloudbill.loading.words import held_line, lines, outcomes_json
from cloudbill.manifests import ManifestFailure, Part, StoredObject
from cloudbill.models import LoadFailure, Skip, SkipReason
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.providers import azure_focus
from cloudbill.settings import SourceSettings
from cloudbill.text.failures import SourceFailure, error_line
from cloudbill.text.sizes import shown_size
from unit.builders import SEPTEMBER, at, manifest, result, to_load

SETTINGS = SourceSettings(
    source="azure_billing",
    provider=azure_focus,
    bucket="exports",
    prefix="",
    export_name="focus-daily",
    scope=None,
    table_name="bill",
    project_id=None,
    dataset="billing",
    location=None,
    database=Path("bills.duckdb"),
    storage_version="v1.4.0",
    is_database_given=True,
    totals=True,
    memory_limit="1GB",
    max_row_drop=Decimal("0.5"),
    max_cost_drop=Decimal("0.9"),
    cost_trifle=Decimal(1),
    max_wait=timedelta(days=1),
    max_age=None,
    notify=(),
    parallel_loads=1,
    partition_expiration_days=None,
    maximum_bytes_billed=None,
    retry_for_s=240,
    lock_timeout_s=60,
    in_focus=True,
    focus=True,
    cache=True,
)
RUN = manifest("run", parts=[Part(path="a.parquet"), Part(path="b.parquet")], rows=7)
PLANNED = to_load(RUN)
SKIP = Skip(manifest=RUN, reason=SkipReason.WAITING, detail="waiting, 1/2 parts there")
UNREAD = ManifestFailure(path="m.json", error=ManifestError("No", path="m.json", key="k"))


def discovered(manifests: int) -> Discovered:
    """A listing that found so many manifests."""
    return Discovered(settings=SETTINGS, manifests=manifests, address="gs://exports/focus-daily/")


class TestHeldRuns:
    HELD = replace(SKIP, reason=SkipReason.HELD, detail="held: why", guard=Guard.SLICE)

    def test_the_line_of_the_newest_counts_those_that_are_held_alike(self) -> None:
        assert list(lines(replace(self.HELD, older_alike=2))) == [
            "Skipping 2025-10 (run_id: run) - held: why; likewise 2 older runs"
        ]

    def test_what_an_upgrade_newly_holds_is_one_line_for_people_and_all_for_programs(self) -> None:
        event = NewlyHeld(settings=SETTINGS, skips=(self.HELD,))
        (line,) = lines(event)
        assert line == (
            "This version of cloudbill holds 1 run of 2025-10 that the version before did not "
            "hold; nothing was changed for it yet"
        )
        told = json.loads(event_log_line(event, "azure_billing", at(22)) or "")
        assert told["runs"] == [{"period": "2025-10", "run_id": "run", "guard": "slice"}]

    def test_a_slice_is_accepted_with_its_option_and_what_no_plan_knows_dismissed_by_id(
        self,
    ) -> None:
        line = held_line(Outcome(settings=SETTINGS, skips=(self.HELD,))) or ""
        assert "`cloudbill accept 2025-10 --source azure_billing --slice`" in line
        late = replace(self.HELD, guard=Guard.ROWS, is_late=True)
        line = held_line(Outcome(settings=SETTINGS, skips=(late,))) or ""
        assert "`cloudbill dismiss azure_billing 2025-10 run`" in line


def parsed(*outcomes: Outcome, error: CloudbillError | None = None) -> dict[str, Any]:
    """The document as a program reads it."""
    read: dict[str, Any] = json.loads(
        outcomes_json(outcomes, [SourceFailure(source=None, error=error)] if error else [])
    )
    return read


class TestLines:
    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            (discovered(6), ["Discovered 6 Azure billing manifests"]),
            (
                discovered(0),
                [
                    "Discovered 0 Azure billing manifests",
                    (
                        "  Nothing was found in gs://exports/focus-daily/; "
                        "check 'prefix' and 'export_name'"
                    ),
                ],
            ),
            (SKIP, ["Skipping 2025-10 (run_id: run) - waiting, 1/2 parts there"]),
            (
                LoadStarted(planned=PLANNED, store_title="GCS"),
                [
                    "Processing 2025-10 (run_id: run)",
                    "  Loading 2 Parquet files from GCS...",
                    "    gs://exports/a.parquet",
                    "    gs://exports/b.parquet",
                ],
            ),
            (
                LoadFinished(result=result(RUN, rows=7)),
                ["  Loaded 7 rows to bill", "Completed loading 2025-10 (run_id: run)"],
            ),
            (
                LoadFailure(planned=PLANNED, error=LoadError("it broke")),
                ["Failed 2025-10 (run_id: run) - it broke"],
            ),
            (UNREAD, ["Failed manifest - No 'k' of m.json"]),
        ],
        ids=["found", "nothing found", "skip", "started", "finished", "failed", "unread manifest"],
    )
    def test_lines_of_an_event(self, event: Event, expected: list[str]) -> None:
        assert list(lines(event)) == expected

    def test_a_manifest_that_cannot_be_read_is_named_with_its_source(self) -> None:
        told = list(lines(UNREAD, "azure_billing"))
        assert told == ["Failed manifest of azure_billing - No 'k' of m.json"]

    def test_dry_run_says_what_would_be_loaded(self) -> None:
        unknown = to_load(manifest("run", parts=1))

        assert planned_line(PLANNED) == (
            "Would load 2025-10 (run_id: run) - 2 parts, unknown size, 7 rows"
        )
        assert planned_line(unknown).endswith("- 1 part, unknown size, an unknown number of rows")

    def test_plan_begins_with_its_answer_in_one_line(self) -> None:
        held = replace(SKIP, manifest=manifest("h", period=SEPTEMBER), reason=SkipReason.HELD)
        known = frozenset(map(BillingPeriod.parse, ["2025-10", "2025-08", "2025-07"]))
        plan = Outcome(settings=SETTINGS, planned=(PLANNED,), skips=(held,), known=known)
        assert planned_months(plan) == (
            "azure_billing: 1 month would be loaded, 1 is held, 2 stay as they are"
        )
        assert planned_months(Outcome(settings=SETTINGS, known=known)) == (
            "azure_billing: no month would be loaded, 3 stay as they are"
        )
        assert (
            planned_months(Outcome(settings=SETTINGS)) == "azure_billing: no month would be loaded"
        )

    def test_plan_ends_with_what_all_of_it_comes_to(self) -> None:
        stored = StoredObject(path="p", size=86_100_000, modified_at=utc_now())
        parts = (Part(path="p", stored=stored), Part(path="q", stored=stored))
        planned = to_load(replace(manifest("run"), parts=parts, rows=1))
        on_bigquery = replace(SETTINGS, project_id="acme")

        *_, in_duckdb = planned_lines(Outcome(settings=SETTINGS, planned=(planned,)))
        *_, in_bigquery = planned_lines(Outcome(settings=on_bigquery, planned=(planned,) * 2))

        assert in_duckdb == "azure_billing: 1 month, 2 parts, 172.2 MB"
        assert in_bigquery == "azure_billing: 2 months, 4 parts, 344.4 MB, at least 2 BigQuery jobs"
        assert [*planned_lines(Outcome(settings=SETTINGS))] == ["azure_billing: nothing to load"]

    def test_of_a_source_that_cannot_be_read_it_is_not_known_what_would_be_loaded(self) -> None:
        unread = Outcome(settings=SETTINGS, error=StoreError("gone"))
        assert planned_months(unread) == "azure_billing: it is not known what would be loaded"
        assert [*planned_lines(unread)] == []

    @pytest.mark.parametrize(
        ("size", "shown"),
        [
            (None, "unknown size"),
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1, "1 byte"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (86_140_000, "86.1 MB"),
            (5 * 10**15, "5.0 PB"),
        ],
    )
    def test_sizes_are_shown_in_the_unit_that_fits(self, size: int | None, shown: str) -> None:
        assert shown_size(size) == shown

    def test_error_names_its_source(self) -> None:
        assert error_line("azure_billing", StoreError("gone")) == "Failed azure_billing - gone"
        assert error_line(None, ConfigError("no source")) == "Failed - no source"


class TestDocument:
    def test_shape_of_everything(self) -> None:
        totals = {"USD": {"BilledCost": Decimal("2E-18")}, "EUR": {"BilledCost": Decimal("1.50")}}
        outcome = Outcome(
            settings=SETTINGS,
            results=(result(RUN, rows=7, totals=totals),),
            skips=(SKIP,),
            failures=(LoadFailure(planned=PLANNED, error=LoadError("it broke")),),
            manifest_failures=(UNREAD,),
            error=StoreError("gone"),
        )

        assert parsed(outcome) == {
            "loads": [
                {
                    "source": "azure_billing",
                    "period": "2025-10",
                    "run_id": "run",
                    "rows": 7,
                    "parts": 2,
                    "totals": {
                        "EUR": {"BilledCost": "1.50"},
                        "USD": {"BilledCost": "0.000000000000000002"},
                    },
                    "job_id": None,
                    "seconds": 3600.0,
                }
            ],
            "skips": [
                {
                    "source": "azure_billing",
                    "period": "2025-10",
                    "run_id": "run",
                    "reason": "waiting",
                    "detail": "waiting, 1/2 parts there",
                }
            ],
            "failures": [
                {
                    "source": "azure_billing",
                    "period": "2025-10",
                    "run_id": "run",
                    "error": "LoadError",
                    "message": "it broke",
                },
                {
                    "source": "azure_billing",
                    "period": None,
                    "run_id": None,
                    "error": "ManifestError",
                    "message": "No 'k' of m.json",
                },
                {
                    "source": "azure_billing",
                    "period": None,
                    "run_id": None,
                    "error": "StoreError",
                    "message": "gone",
                },
            ],
        }

    def test_currencies_are_sorted(self) -> None:
        totals = {currency: {"BilledCost": Decimal(1)} for currency in ("USD", "", "EUR")}

        (load,) = parsed(Outcome(settings=SETTINGS, results=(result(totals=totals),)))["loads"]

        assert list(load["totals"]) == ["", "EUR", "USD"]

    def test_dry_run_has_the_loads_that_are_planned(self) -> None:
        outcome = Outcome(settings=SETTINGS, planned=(PLANNED,))
        assert json.loads(outcomes_json([outcome], dry_run=True))["planned"] == [
            {
                "source": "azure_billing",
                "period": "2025-10",
                "run_id": "run",
                "rows": 7,
                "parts": 2,
                "bytes": None,
            }
        ]

    def test_error_before_any_source(self) -> None:
        assert parsed(error=ConfigError("no source")) == {
            "loads": [],
            "skips": [],
            "failures": [
                {
                    "source": None,
                    "period": None,
                    "run_id": None,
                    "error": "ConfigError",
                    "message": "no source",
                }
            ],
        }


class TestExitCode:
    """A failure in one month or export does not stop the others; the exit code tells."""

    @pytest.mark.parametrize(
        ("outcome", "code"),
        [
            (Outcome(settings=SETTINGS), 0),
            (Outcome(settings=SETTINGS, skips=(SKIP,)), 0),
            (Outcome(settings=SETTINGS, manifest_failures=(UNREAD,)), 3),
            (Outcome(settings=SETTINGS, error=CloudbillError("x")), 1),
            (
                Outcome(
                    settings=SETTINGS,
                    error=CloudbillError("x"),
                    manifest_failures=(UNREAD,),
                    failures=(LoadFailure(planned=PLANNED, error=StoreError("x")),),
                ),
                4,
            ),
        ],
        ids=["nothing", "skips", "manifest", "unnamed error", "the highest"],
    )
    def test_exit_code_is_the_highest(self, outcome: Outcome, code: int) -> None:
        assert outcome.exit_code == code
