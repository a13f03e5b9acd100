"""Where a source stands and how its months moved, on every warehouse and provider; only read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from cloudbill.errors import StaleError, StoreError
from cloudbill.looking.load_history import MonthHistory, read_history
from cloudbill.looking.load_history_words import closing_sentence, history_json
from cloudbill.looking.status import MonthState, MonthStatus, Pending, SourceStatus
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.periods import BillingPeriod, utc_now
from contract.conftest import LOOKING_WAYS, in_ways
from contract.deliveries import Charge, Delivery, at, charges
from contract.places import DiskAndDuckDB, GcsAndBigQuery

if TYPE_CHECKING:
    from contract.places import Case

WAYS = (("aws", "duckdb"),)
"""What is told was read by `read_present`; in both warehouses where that counts."""

EARLY, LATE, LATEST = at("2025-10-15 04:00"), at("2025-10-31 22:00"), at("2025-11-03 04:00")
NOW = at("2025-11-04 04:00")
SMALL = "0.000000000000000001"


def run(period: str, *costs: str, run_id: str = "run", **options: object) -> Delivery:
    """A run with one charge a day."""
    values: dict[str, object] = {"charges": charges(period, *costs), "submitted_at": EARLY}
    return Delivery(period=period, run_id=run_id, **(values | options))  # type: ignore[arg-type]


def look(case: Case) -> SourceStatus:
    """The status of a source that can be read."""
    status = read_status(case.settings, now=NOW)
    assert (status.errors, status.exit_code) == ((), 0)
    return status


def look_at_one(case: Case) -> MonthStatus:
    """The only month."""
    (month,) = look(case).months
    return month


def moved(case: Case, *months: str) -> tuple[MonthHistory, ...]:
    """The history of a source that can be read."""
    periods = frozenset(BillingPeriod.parse(month) for month in months)
    history = read_history(case.settings, periods)
    assert (history.error, history.exit_code) == (None, 0)
    return history.months


def has_times(case: Case) -> bool:
    """Whether runs were submitted when their delivery says: AWS tells by the time of an object."""
    return case.writer.states_rows or case.place.name == "duckdb"


class TestStatus:
    OWN_FILE = True

    @in_ways(LOOKING_WAYS)
    def test_a_loaded_month_has_its_run_its_rows_and_its_exact_cost(self, case: Case) -> None:
        case.deliver(run("2025-10", "-1204.11", SMALL, run_id="first"))
        started_at = utc_now()
        case.load()
        month = look_at_one(case)
        assert (month.state, month.pending, month.is_drifted) == (MonthState.LOADED, (), False)
        assert month.record is not None
        assert (month.record.run_id, month.record.rows, month.table_rows) == ("first", 2, 2)
        assert month.record.loaded_at is not None
        assert started_at <= month.record.loaded_at <= utc_now()
        assert month.costs == {"EUR": Decimal("-1204.109999999999999999")}

    def test_currencies_are_never_added_up(self, case: Case) -> None:
        rows = charges("2025-10", "1.5", "2")
        rows.append(Charge(day=rows[0].day, cost=Decimal("100.01"), currency="USD"))
        case.deliver(run("2025-10", charges=rows))
        case.load()
        assert look_at_one(case).costs == {"EUR": Decimal("3.5"), "USD": Decimal("100.01")}

    def test_the_newest_delivery_is_the_newest_complete_run(self, case: Case) -> None:
        case.deliver(run("2025-10", "1"))
        case.load()
        waiting = case.write(run("2025-10", "1", "2", submitted_at=LATEST, run_id="waits"))
        waiting.parts[0].unlink()
        case.place.put(waiting.folder)
        status = look(case)
        assert status.newest_delivery_at is not None
        if has_times(case):
            assert status.newest_delivery_at == EARLY
            assert status.age == timedelta(days=20)

    @in_ways(LOOKING_WAYS)
    def test_a_run_that_lacks_parts_waits_and_says_how_many(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", run_id="loaded"))
        case.load()
        options = {"submitted_at": LATE, "run_id": "waits", "parts": 3}
        waiting = case.write(run("2025-10", "1", "2", "3", **options))  # type: ignore[arg-type]
        waiting.parts[0].unlink()
        waiting.parts[2].unlink()
        case.place.put(waiting.folder)
        month = look_at_one(case)
        assert month.record is not None
        assert month.record.run_id == "loaded"
        (waits,) = month.pending
        assert (waits.pending, waits.run_id) == (Pending.WAITING, "waits")
        assert (waits.parts_missing, waits.parts) == (2, 3)

    @in_ways(LOOKING_WAYS)
    def test_a_run_that_is_held_says_why_with_the_numbers(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", "2", run_id="loaded"))
        case.load()
        case.deliver(run("2025-10", submitted_at=LATE, run_id="empty", parts=0))
        (held,) = look_at_one(case).pending
        assert (held.pending, held.run_id) == (Pending.HELD, "empty")
        assert held.detail == "held: it has 0 rows, the loaded run loaded has 2"

    def test_a_newer_run_would_be_loaded_and_a_first_one_too(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", run_id="loaded"))
        case.load()
        case.deliver(run("2025-10", "1", "2", submitted_at=LATE, run_id="newer"))
        case.deliver(run("2025-11", "7", submitted_at=LATEST, run_id="first"))
        november, october = look(case).months
        assert (november.state, november.record) == (MonthState.NOT_LOADED, None)
        assert october.state is MonthState.LOADED
        assert [(one.pending, one.run_id) for one in (*november.pending, *october.pending)] == [
            (Pending.NEW, "first"),
            (Pending.NEW, "newer"),
        ]
        case.load()
        assert [month.pending for month in look(case).months] == [(), ()]

    def test_what_is_superseded_or_older_is_not_told(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", run_id="old"))
        case.deliver(run("2025-10", "2", submitted_at=LATE, run_id="new"))
        assert [one.run_id for one in look_at_one(case).pending] == ["new"]
        case.load()
        assert look_at_one(case).pending == ()

    def test_months_between_that_nobody_delivered_are_missing(self, case: Case) -> None:
        for period in ("2025-07", "2025-10"):
            case.deliver(run(period, "1", run_id=period))
        case.load()
        assert [(str(month.period), month.state) for month in look(case).months] == [
            ("2025-10", "loaded"),
            ("2025-09", "missing"),
            ("2025-08", "missing"),
            ("2025-07", "loaded"),
        ]

    @in_ways(LOOKING_WAYS)
    def test_rows_that_somebody_deleted_are_missed(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", "2", run_id="loaded"))
        case.load()
        case.place.query(
            "DELETE FROM {table} WHERE {cost} = 2", table=case.table, cost=case.writer.cost_column
        )
        month = look_at_one(case)
        assert month.is_drifted
        assert month.table_rows == 1
        assert [(one.pending, one.run_id) for one in month.pending] == [(Pending.AGAIN, "loaded")]
        # Just after a month was written, a load may be about to record it; a file is locked then.
        now = utc_now()
        assert len(read_status(case.settings, now=now).reasons) == (case.place.name == "duckdb")
        later = read_status(case.settings, now=now + timedelta(minutes=6))
        (changed,) = later.reasons
        assert (changed.error.exit_code, str(changed.period)) == (7, "2025-10")
        assert "`cloudbill load" in str(changed.error)
        assert any("changed: above is what was loaded" in line for line in status_lines(later))

    def test_without_a_store_what_is_loaded_is_told_and_why_no_more(
        self, case: Case, tmp_path: Path
    ) -> None:
        case.deliver(run("2025-10", "1.25"))
        case.load()
        bucket = str(tmp_path / "gone") if case.place.name == "duckdb" else "gone"
        settings = replace(case.settings, bucket=bucket, retry_for_s=2.0)
        status = read_status(settings, now=NOW, max_age=timedelta(hours=1))
        assert isinstance(status.error, StoreError)
        assert status.exit_code == StoreError.exit_code
        (month,) = status.months
        assert (month.state, month.costs) == (MonthState.LOADED, {"EUR": Decimal("1.25")})
        assert "gone" in json.loads(status_json([status]))["failures"][0]["message"]

    def test_a_source_is_stale_when_its_newest_delivery_is_older_than_allowed(
        self, case: Case
    ) -> None:
        case.deliver(run("2025-10", "1", submitted_at=LATE))
        case.load()
        delivered_at = look(case).newest_delivery_at
        assert delivered_at is not None
        day, moment = timedelta(days=1), timedelta(microseconds=1)
        codes = [
            read_status(case.settings, now=now, max_age=day).exit_code
            for now in (delivered_at, delivered_at + day, delivered_at + day + moment)
        ]
        assert codes == [0, 0, StaleError.exit_code]

    def test_a_source_that_never_delivered_is_stale_at_any_age(self, case: Case) -> None:
        waiting = case.write(run("2025-10", "1"))
        waiting.parts[0].unlink()
        case.place.put(waiting.folder)
        status = read_status(case.settings, now=NOW, max_age=timedelta(days=9999))
        assert (status.exit_code, status.newest_delivery_at) == (StaleError.exit_code, None)
        assert [one.pending for one in status.months[0].pending] == [Pending.WAITING]

    @in_ways(LOOKING_WAYS)
    def test_nothing_is_created_where_nothing_was_ever_loaded(self, case: Case) -> None:
        case.deliver(run("2025-10", "1"))
        assert look_at_one(case).state is MonthState.NOT_LOADED
        assert moved(case) == ()
        if isinstance(case.place, DiskAndDuckDB):
            assert not case.place.database.exists()
        else:
            assert isinstance(case.place, GcsAndBigQuery)
            assert list(case.place.client().list_datasets()) == []

    @in_ways(LOOKING_WAYS)
    def test_looking_changes_nothing(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", "2", run_id="loaded"))
        case.load()
        case.deliver(run("2025-10", "1", "2", "3", submitted_at=LATE, run_id="newer"))
        before = (case.held(), case.tracked())
        content = _content(case)
        first, second = look(case), look(case)
        moved(case)
        assert first.months == second.months
        assert _content(case) == content
        assert (case.held(), case.tracked()) == before
        assert [result.planned.manifest.run_id for result in case.load().results] == ["newer"]

    def test_the_table_is_readable_at_eighty_columns(self, case: Case) -> None:
        case.deliver(run("2025-08", "12345678901.123456789012345678", run_id="august"))
        case.deliver(run("2025-10", "1", run_id="october"))
        case.load()
        case.deliver(run("2025-10", submitted_at=LATE, run_id="empty", parts=0))
        lines = list(status_lines(look(case), exact=True))
        assert max(map(len, lines)) <= 80
        text = "\n".join(lines)
        assert "12,345,678,901.123456789012345678 EUR" in text
        assert "held: run empty" in text
        assert "missing: nothing was delivered or loaded" in text


class TestHistory:
    @in_ways(LOOKING_WAYS)
    def test_every_load_is_told_with_the_exact_change_by_currency(self, case: Case) -> None:
        first, second = charges("2025-10", "1.1", SMALL), charges("2025-10", "1.25", "0")
        dollars = Charge(day=first[0].day, cost=Decimal("0.30"), currency="USD")
        case.deliver(run("2025-10", charges=first, run_id="first"))
        case.load()
        case.deliver(run("2025-10", charges=[*second, dollars], run_id="second", submitted_at=LATE))
        case.load()
        (month,) = moved(case)
        assert [(one.record.run_id, one.record.rows) for one in month.loads] == [
            ("first", 2),
            ("second", 3),
        ]
        assert [one.costs for one in month.loads] == [
            {"EUR": Decimal(f"1.1{SMALL[3:]}")},
            {"EUR": Decimal("1.25"), "USD": Decimal("0.30")},
        ]
        assert month.loads[0].changes is None
        assert month.loads[1].changes == {
            "EUR": Decimal("0.149999999999999999"),
            "USD": Decimal("0.30"),
        }

    def test_a_month_that_moved_after_it_closed_says_so_in_a_sentence(self, case: Case) -> None:
        for run_id, cost, submitted_at in (
            ("open", "1000.00", LATE),
            ("closed", "1204.11", LATEST),
            ("moved", "1209.80", LATEST + timedelta(days=2)),
        ):
            case.deliver(run("2025-10", cost, run_id=run_id, submitted_at=submitted_at))
            case.load()
        (month,) = moved(case)
        assert month.closing is not None
        if has_times(case):
            assert closing_sentence(month.period, month.closing) == (
                "2025-10 closed at 1,204.11 EUR, now 1,209.80 EUR, +5.69 EUR"
            )
        else:
            # All three objects were written today, which is after October.
            assert closing_sentence(month.period, month.closing) == (
                "2025-10 closed at 1,000.00 EUR, now 1,209.80 EUR, +209.80 EUR"
            )

    def test_loading_the_same_run_again_changed_nothing(self, case: Case) -> None:
        case.deliver(run("2025-10", "1.5"))
        case.load()
        case.load(force=True)
        (month,) = moved(case)
        assert [one.is_repeat for one in month.loads] == [False, True]
        assert month.loads[1].changes == {"EUR": Decimal(0)}

    def test_a_row_of_an_older_tool_has_no_total(self, case: Case) -> None:
        case.deliver(run("2025-10", "1", run_id="older"))
        case.load()
        case.deliver(run("2025-10", "2", run_id="newer", submitted_at=LATE))
        case.load()
        case.place.query(
            "UPDATE {table} SET totals = NULL, submitted_at = NULL WHERE run_id = 'older'",
            table=f"{case.table}_load_tracking",
        )
        (month,) = moved(case)
        assert [one.costs for one in month.loads] == [None, {"EUR": Decimal(2)}]
        assert month.loads[1].changes is None

    def test_only_the_months_that_are_asked_for_are_told(self, case: Case) -> None:
        for period in ("2025-08", "2025-09", "2025-10"):
            case.deliver(run(period, "1", run_id=period))
        case.load()
        assert [str(month.period) for month in moved(case)] == ["2025-10", "2025-09", "2025-08"]
        assert [str(month.period) for month in moved(case, "2025-10", "2025-08")] == [
            "2025-10",
            "2025-08",
        ]
        assert moved(case, "2024-01") == ()

    def test_the_document_has_exact_text(self, case: Case) -> None:
        case.deliver(run("2025-10", SMALL))
        case.load()
        document = json.loads(history_json([read_history(case.settings, frozenset())]))
        (load,) = document["months"][0]["loads"]
        assert load["billed_cost"] == {"EUR": SMALL}
        assert document["failures"] == []


def _content(case: Case) -> bytes | None:
    """The whole file of the warehouse, if it has one."""
    place = case.place
    return place.database.read_bytes() if isinstance(place, DiskAndDuckDB) else None
