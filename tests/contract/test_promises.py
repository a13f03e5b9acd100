"""What holds on every warehouse, for every provider."""

from __future__ import annotations

import dataclasses
import os
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import ReconciliationError, SchemaError
from contract.conftest import AZURE_WAYS, LOADING_WAYS, LOOKING_WAYS, READING_WAYS, in_ways
from contract.deliveries import Charge, Delivery, at, charges
from contract.octobers import EARLY, LATE, LATEST, october

if TYPE_CHECKING:
    from contract.places import Case


class TestAtomic:
    """A load that fails, at whatever point, leaves the old month."""

    OWN_FILE = True

    def test_a_part_that_is_damaged_inside_leaves_the_old_month(self, case: Case) -> None:
        old = october("1", "2", "3", "4", note="old", submitted_at=EARLY)
        case.deliver(old)
        case.load()
        case.deliver(october("5", "6", "7", "8", note="new", run_id="damaged", damaged=True))
        outcome = case.load()
        assert outcome.exit_code == 5
        assert [failure.planned.manifest.run_id for failure in outcome.failures] == ["damaged"]
        assert case.held() == list(old.charges)

    def test_what_failed_is_loaded_once_it_is_mended(self, case: Case) -> None:
        broken = october("5", "6", note="new", run_id="new", damaged=True)
        case.deliver(broken)
        assert case.load().exit_code == 5
        new = dataclasses.replace(broken, damaged=False)
        case.deliver(new)
        assert case.load().exit_code == 0
        assert case.held() == list(new.charges)


class TestReconciled:
    """Rows loaded equal the manifest's count, the footers, and what the table then holds."""

    WAYS = AZURE_WAYS

    def test_a_manifest_that_states_more_rows_leaves_the_old_month(self, case: Case) -> None:
        old = october("1", "2", note="old", submitted_at=EARLY)
        case.deliver(old)
        case.load()
        case.deliver(october("3", "4", note="new", stated_rows=3))
        outcome = case.load()
        (failure,) = outcome.failures
        assert isinstance(failure.error, ReconciliationError)
        assert "states 3 rows" in str(failure.error)
        assert case.held() == list(old.charges)

    def test_a_count_that_the_manifest_does_not_state_is_unknown_and_not_zero(
        self, case: Case
    ) -> None:
        case.deliver(october("3", "4", stated_rows=None))
        outcome = case.load()
        assert [result.rows for result in outcome.results] == [2]

    @in_ways(LOADING_WAYS)
    def test_rows_of_another_month_leave_the_old_month(self, case: Case) -> None:
        old = october("1", "2", note="old", submitted_at=EARLY)
        case.deliver(old)
        case.load()
        stray = october("3", note="stray", period_start=at("2025-09-01 00:00").date())
        case.deliver(stray)
        outcome = case.load()
        (failure,) = outcome.failures
        assert isinstance(failure.error, ReconciliationError)
        assert "2025-10" in str(failure.error)
        assert case.held() == list(old.charges)


class TestExact:
    """Money is decimal from file to table; no float on the way."""

    def test_eighteen_digits_behind_the_point_arrive(self, case: Case) -> None:
        costs = ("0.000000000000000001", "-12345678901234567890.123456789012345678", "0.1", "0.2")
        case.deliver(october(*costs))
        outcome = case.load()
        total = Decimal("-12345678901234567889.823456789012345677")
        assert [charge.cost for charge in case.held()] == [Decimal(cost) for cost in costs]
        (result,) = outcome.results
        assert set(result.totals) == {"EUR"}
        assert result.totals["EUR"][case.writer.cost_column] == total

    @in_ways(LOOKING_WAYS)
    def test_currencies_are_never_added_up(self, case: Case) -> None:
        rows = [*charges("2025-10", "1.5", "2.5")]
        rows.append(Charge(day=rows[0].day, cost=Decimal(100), currency="USD"))
        case.deliver(Delivery(period="2025-10", charges=rows, submitted_at=LATE))
        (result,) = case.load().results
        costs = {
            currency: totals[case.writer.cost_column] for currency, totals in result.totals.items()
        }
        assert costs == {"EUR": Decimal(4), "USD": Decimal(100)}

    def test_absent_text_is_what_the_file_has(self, case: Case) -> None:
        case.deliver(october("1"))
        case.load()
        assert case.values(case.writer.note_column) == [case.writer.absent_text]


class TestWaits:
    """A part that is missing, or shorter than stated, makes a run wait; it is no error."""

    WAYS = LOOKING_WAYS

    def test_a_run_waits_for_its_part_while_an_older_complete_one_goes_first(
        self, case: Case
    ) -> None:
        older = october("1", "2", note="older", submitted_at=EARLY)
        newer = october("3", "4", note="newer", submitted_at=LATE, run_id="partial")
        case.deliver(older)
        written = case.write(newer)
        kept = written.parts[1].read_bytes()
        written.parts[1].unlink()
        case.place.put(written.folder)
        outcome = case.load()
        assert (outcome.error, outcome.failures) == (None, ())
        assert [(skip.manifest.run_id, skip.reason) for skip in outcome.skips] == [
            ("partial", "waiting")
        ]
        assert "1/2 parts" in outcome.skips[0].detail
        assert case.held() == list(older.charges)

        written.parts[1].write_bytes(kept)
        # A part that is much newer than its manifest is waited for a while longer.
        os.utime(written.parts[1], (LATE.timestamp(),) * 2)
        case.place.put(written.folder)
        case.load()
        assert case.held() == list(newer.charges)


class TestRepeatable:
    """Loading a run twice changes nothing."""

    WAYS = LOOKING_WAYS
    OWN_FILE = True

    def test_the_second_run_of_the_loader_loads_nothing(self, case: Case) -> None:
        delivery = october("1", "2")
        case.deliver(delivery)
        case.load()
        outcome = case.load()
        assert not outcome.results
        assert [str(skip.reason) for skip in outcome.skips] == ["already_loaded"]
        assert case.held() == list(delivery.charges)
        assert case.tracked() == [("2025-10", delivery.run_id, 2, 2)]

    def test_a_forced_load_gives_the_same_month(self, case: Case) -> None:
        delivery = october("1", "2")
        case.deliver(delivery)
        case.load()
        outcome = case.load(force=True)
        assert [result.rows for result in outcome.results] == [2]
        assert case.held() == list(delivery.charges)
        assert len(case.tracked()) == 2

    def test_going_back_and_forth_between_runs_never_keeps_a_stale_month(self, case: Case) -> None:
        first, second = october("1", submitted_at=EARLY), october("2", submitted_at=LATE)
        case.deliver(first)
        case.load()
        case.deliver(second)
        case.load()
        case.load(force=True)
        assert case.held() == list(second.charges)


class TestRemembers:
    """The ledger is restored from the warehouse on a fresh machine."""

    WAYS = LOOKING_WAYS
    OWN_FILE = True

    def test_a_fresh_machine_loads_nothing_twice(
        self, case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        case.deliver(october("1", "2"))
        case.load()
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path_factory.mktemp("elsewhere")))
        assert not case.load().results

    def test_what_dlt_left_on_this_machine_does_not_hide_a_new_warehouse(self, case: Case) -> None:
        delivery = october("1", "2")
        case.deliver(delivery)
        case.load()
        for table in (case.table, f"{case.table}_load_tracking", "_dlt_pipeline_state"):
            case.place.query("DROP TABLE {table}", table=table)
        assert [result.rows for result in case.load().results] == [2]
        assert case.held() == list(delivery.charges)


class TestColumns:
    """Columns that appear are added, columns that vanish stay, and types never change."""

    @in_ways(LOOKING_WAYS)
    def test_a_new_column_is_added_and_is_empty_in_older_months(self, case: Case) -> None:
        september = Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        case.deliver(september)
        case.load()
        case.deliver(october("1", "2", added={"Project": "apollo"}))
        assert case.load().exit_code == 0
        values = case.values(case.writer.added_column("Project"))
        assert sorted(values, key=str) == [None, "apollo", "apollo"]

    @in_ways(AZURE_WAYS)
    def test_a_column_that_only_the_newest_month_lacks_stays_and_is_null(self, case: Case) -> None:
        case.deliver(
            Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        )
        case.load()
        case.deliver(october("1", dropped=frozenset({case.writer.spare_column})))
        assert case.load().exit_code == 0
        values = case.values(case.writer.spare_column)
        assert sorted(values, key=str) == sorted([case.writer.absent_text, None], key=str)

    def test_a_column_that_changed_its_type_is_named_and_the_old_month_stays(
        self, case: Case
    ) -> None:
        if not case.writer.changes_type or case.writer.section == "aws_billing":
            pytest.skip("types go by the names of the columns in this format")
        old = october("1", submitted_at=EARLY)
        case.deliver(old)
        case.load()
        case.deliver(october("2", cost_as_day=True))
        (failure,) = case.load().failures
        assert isinstance(failure.error, SchemaError)
        assert str(failure.error).startswith("Column 'BilledCost' is date, but it is documented")
        assert case.held() == list(old.charges)

    def test_a_cost_column_that_comes_as_text_holds_the_amounts_that_it_says(
        self, case: Case
    ) -> None:
        if not case.writer.changes_type:
            pytest.skip("types go by the names of the columns in this format")
        case.deliver(october("1", "2", cost_as_text=True))

        (result,) = case.load().results

        (sums,) = result.totals.values()
        assert sums[case.writer.cost_column] == 3
        assert sorted(case.values(case.writer.cost_column)) == [1, 2]


class TestPeriods:
    """The period of a row is the month of its period column, which need not be day 1."""

    WAYS = LOOKING_WAYS

    def test_a_billing_period_that_starts_on_the_fifteenth_is_replaced_as_a_month(
        self, case: Case
    ) -> None:
        day = at("2025-10-15 00:00").date()
        case.deliver(october("1", "2", submitted_at=EARLY, period_start=day))
        case.load()
        newer = october("3", "4", "5", period_start=day)
        case.deliver(newer)
        case.load()
        assert case.held() == list(newer.charges)


class TestExports:
    """Each export has a table of its own."""

    WAYS = LOOKING_WAYS

    def test_a_second_export_has_a_table_of_its_own(self, case: Case) -> None:
        mine = october("1", "2", note="mine")
        case.deliver(mine)
        case.load()
        other = type(case)(place=case.place, writer=case.writer, scratch=case.scratch, export="two")
        assert [result.planned.table for result in other.load().results] == ["bill_two"]
        newer = october("3", note="newer", submitted_at=LATEST)
        case.deliver(newer)
        case.load()
        assert case.held() == list(newer.charges)
        assert other.held() == list(mine.charges)


class TestRunsWithoutRows:
    """They are held, and empty the month once they are accepted."""

    WAYS = READING_WAYS

    @pytest.mark.parametrize("parts", [0, 1], ids=["no part", "a part without rows"])
    def test_a_newer_run_without_rows_is_held_and_empties_the_month_once_accepted(
        self, case: Case, parts: int
    ) -> None:
        old = october("1", submitted_at=EARLY, run_id="old")
        case.deliver(old)
        case.load()
        case.deliver(october(parts=parts, run_id="empty"))
        outcome = case.load()
        assert outcome.exit_code == 6
        assert case.held() == list(old.charges)
        assert case.accept("2025-10").exit_code == 0
        assert case.held() == []
        again = case.load()
        assert (again.exit_code, again.results) == (0, ())


class TestFirstRunWithoutParts:
    """Where the manifests state no rows, those of the older run are counted first."""

    WAYS = (("aws", "duckdb"), ("aws", "bigquery"))

    def test_it_is_held_where_an_older_run_has_rows_and_the_older_one_is_loaded(
        self, case: Case
    ) -> None:
        old = october("1", submitted_at=EARLY, run_id="old")
        case.deliver(old, october(parts=0, run_id="empty"))

        outcome = case.load()

        assert outcome.exit_code == 6
        assert case.held() == list(old.charges)

    def test_alone_it_is_loaded_and_said(self, case: Case) -> None:
        case.deliver(october(parts=0, run_id="empty"))

        (result,) = case.load().results

        assert str(result.notes["without_rows"]).endswith("-Manifest.json lists no file")
