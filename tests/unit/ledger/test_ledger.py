"""The memory of loaded runs: every shape of the state that was ever written is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.errors import CloudbillError
from cloudbill.ledger.entries import entry_of_row, tracking_row
from cloudbill.ledger.state import read_remembered, write_record
from cloudbill.ledger.tables import TRACKING_COLUMNS
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from figures import tries
from property.strategies import JSON_VALUES
from unit.builders import OCTOBER, SEPTEMBER, at, manifest, result

TOTALS = {"EUR": {"BilledCost": Decimal("1.000000000000000001"), "ListCost": Decimal("-2E-7")}}
FULL = LoadRecord(
    period=OCTOBER,
    run_id="run-2",
    submitted_at=datetime(2025, 10, 22, 1, 4, 6, 523444, tzinfo=UTC),
    covers_from=date(2025, 10, 1),
    covers_to=date(2025, 10, 21),
    loaded_at=at(22, 3),
    rows=7,
    parts=2,
    totals=TOTALS,
    job_id="cloudbill_202510_0",
    sequence=4,
)


def read_records(state: dict[str, Any]) -> dict[BillingPeriod, LoadRecord]:
    """The run of each month that a state names."""
    return dict(read_remembered(state).loaded)


def through_json(state: dict[str, Any]) -> dict[str, Any]:
    """The state as dlt gives it back."""
    copied: dict[str, Any] = json.loads(json.dumps(state))
    return copied


class TestOlderShapes:
    @pytest.mark.parametrize(
        ("state", "records"),
        [
            ({}, {}),
            ({"loaded_executions": None}, {}),
            ({"loaded_executions": {}}, {}),
            ({"loaded_executions": {"2025-10": []}}, {}),
            (
                {"loaded_executions": {"2025-10": ["a", "b"], "2025-09": ["c"]}},
                {
                    OCTOBER: LoadRecord(period=OCTOBER, run_id="b"),
                    SEPTEMBER: LoadRecord(period=SEPTEMBER, run_id="c"),
                },
            ),
            (
                {
                    "loaded_executions": {
                        "2025-10": {"run_id": "a", "submitted_time": "2025-10-20T01:00:00.1234567Z"}
                    }
                },
                {
                    OCTOBER: LoadRecord(
                        period=OCTOBER,
                        run_id="a",
                        submitted_at=datetime(2025, 10, 20, 1, 0, 0, 123456, tzinfo=UTC),
                    )
                },
            ),
            (
                {"loaded_executions": {"2025-10": {"run_id": "a", "submitted_time": "unknown"}}},
                {OCTOBER: LoadRecord(period=OCTOBER, run_id="a")},
            ),
            (
                {"loaded_executions": {"2025-10": {"run_id": "a"}}},
                {OCTOBER: LoadRecord(period=OCTOBER, run_id="a")},
            ),
        ],
        ids=[
            "empty",
            "null",
            "no months",
            "month without runs",
            "lists of runs, the newest last",
            "run and time",
            "run and a time that is none",
            "run alone",
        ],
    )
    def test_state_is_read(self, state: dict[str, Any], records: object) -> None:
        assert read_records(state) == records


class TestOurShape:
    @pytest.mark.parametrize(
        "record",
        [FULL, LoadRecord(period=OCTOBER, run_id="a"), LoadRecord(period=SEPTEMBER, run_id="b")],
        ids=["all that is known", "run alone", "other month"],
    )
    def test_record_is_read_back_to_the_last_digit(self, record: LoadRecord) -> None:
        state: dict[str, Any] = {}
        write_record(state, record)

        assert read_records(through_json(state)) == {record.period: record}

    def test_both_shapes_are_written(self) -> None:
        state: dict[str, Any] = {"loaded_executions": {"2025-10": ["run-1"], "2025-08": ["x"]}}

        write_record(state, FULL)

        assert state["loaded_executions"] == {"2025-10": ["run-1", "run-2"], "2025-08": ["x"]}
        assert state["cloudbill"]["version"] == 2
        assert state["cloudbill"]["periods"]["2025-10"] == {
            "run_id": "run-2",
            "sequence": 4,
            "submitted_at": "2025-10-22T01:04:06.523444+00:00",
            "covers_from": "2025-10-01",
            "covers_to": "2025-10-21",
            "loaded_at": "2025-10-22T03:00:00+00:00",
            "rows": 7,
            "parts": 2,
            "totals": {"EUR": {"BilledCost": "1.000000000000000001", "ListCost": "-0.0000002"}},
            "job_id": "cloudbill_202510_0",
            "scope": None,
            "digest": None,
            "parts_digest": None,
            "size": None,
            "file_format": None,
            "data_version": None,
        }

    def test_run_that_is_loaded_again_moves_to_the_end(self) -> None:
        state: dict[str, Any] = {"loaded_executions": {"2025-10": ["run-2", "run-3"]}}

        write_record(state, FULL)

        assert state["loaded_executions"]["2025-10"] == ["run-3", "run-2"]

    def test_later_form_becomes_a_list_again(self) -> None:
        state: dict[str, Any] = {
            "loaded_executions": {"2025-10": {"run_id": "run-1", "submitted_time": "2025-10-20"}}
        }

        write_record(state, FULL)

        assert state["loaded_executions"]["2025-10"] == ["run-1", "run-2"]
        assert read_records(through_json(state)) == {OCTOBER: FULL}

    def test_month_that_the_older_tool_loaded_since_is_the_older_tools(self) -> None:
        state: dict[str, Any] = {}
        write_record(state, FULL)
        state["loaded_executions"]["2025-10"].append("run-3")

        theirs = LoadRecord(period=OCTOBER, run_id="run-3", sequence=5)
        assert read_records(state) == {OCTOBER: theirs}

    def test_ours_alone_is_enough(self) -> None:
        state: dict[str, Any] = {}
        write_record(state, FULL)
        del state["loaded_executions"]

        assert read_records(state) == {OCTOBER: FULL}

    def test_keys_that_a_record_lacks_are_unknown(self) -> None:
        state = {"cloudbill": {"version": 1, "periods": {"2025-10": {"run_id": "a"}}}}

        assert read_records(state) == {OCTOBER: LoadRecord(period=OCTOBER, run_id="a")}


class TestStateThatCannotBeRead:
    def test_newer_version_asks_for_an_upgrade(self) -> None:
        with pytest.raises(CloudbillError, match=r"newer cloudbill .*\(version 3 .*Upgrade"):
            read_records({"cloudbill": {"version": 3, "periods": "in a new shape"}})

    @pytest.mark.parametrize(
        "state",
        [
            {"loaded_executions": ["2025-10"]},
            {"loaded_executions": {"October": ["a"]}},
            {"loaded_executions": {"2025-10": {"submitted_time": "2025-10-20"}}},
            {"cloudbill": {}},
            {"cloudbill": {"version": "1", "periods": {}}},
            {"cloudbill": {"version": 1}},
            {"cloudbill": {"version": 1, "periods": {"2025-10": {}}}},
            {"cloudbill": {"version": 1, "periods": {"2025-13": {"run_id": "a"}}}},
            *(
                {"cloudbill": {"version": 1, "periods": {"2025-10": {"run_id": "a"} | damage}}}
                for damage in (
                    {"submitted_at": "soon"},
                    {"submitted_at": "0001-01-01T00:00:00+23:59"},
                    {"covers_to": 7},
                    {"totals": {"EUR": {"BilledCost": "much"}}},
                    {"totals": {"EUR": 7}},
                )
            ),
        ],
        ids=json.dumps,
    )
    def test_damaged_state_is_an_error_of_its_own(self, state: dict[str, Any]) -> None:
        with pytest.raises(CloudbillError, match=r"^The ledger cannot be read: "):
            read_records(state)

    @tries(100)
    @given(JSON_VALUES, st.sampled_from(["loaded_executions", "cloudbill", "version", "periods"]))
    def test_any_state_is_read_or_refused(self, value: object, key: str) -> None:
        ours = {"version": 1, "periods": {"2025-10": value}} | {key: value}
        state = {"loaded_executions": {"2025-10": value}, "cloudbill": ours} | {key: value}
        try:
            read_records(state)
        except CloudbillError:
            return


class TestTrackingRow:
    def test_row_has_the_columns_of_the_table_in_their_order(self) -> None:
        loaded = result(manifest("run"), rows=9, totals=TOTALS).to_record()
        row = tracking_row(replace(loaded, sequence=3), "run/manifest.json")

        assert list(row) == list(TRACKING_COLUMNS)
        assert list(row)[:5] == ["run_id", "billing_month", "loaded_at", "row_count", "file_count"]
        assert row == {
            "run_id": "run",
            "billing_month": "2025-10",
            "loaded_at": at(22, 2),
            "row_count": 9,
            "file_count": 2,
            "submitted_at": at(20),
            "covers_from": date(2025, 10, 1),
            "covers_to": date(2025, 10, 31),
            "totals": '{"EUR": {"BilledCost": "1.000000000000000001", "ListCost": "-0.0000002"}}',
            "job_id": None,
            "manifest_path": "run/manifest.json",
            "sequence": 3,
            "rounded_away": None,
        }

    @pytest.mark.parametrize("through", ["duckdb", "bigquery"])
    def test_row_is_read_back_to_the_last_digit(self, through: str) -> None:
        row = tracking_row(FULL)
        if through == "bigquery":  # which gives rows as JSON
            row = json.loads(json.dumps(row, default=str))

        entry = entry_of_row({**row, "_dlt_load_id": "17.5"}, {"17.5": 9})

        assert entry is not None
        assert (entry.record, entry.sequence, entry.version) == (FULL, 4, 9)

    @tries(100)
    @given(st.dictionaries(st.sampled_from([*TRACKING_COLUMNS, "_dlt_load_id"]), JSON_VALUES))
    def test_any_row_is_read_or_passed_over(self, cells: dict[str, Any]) -> None:
        row = tracking_row(FULL) | cells

        entry = entry_of_row(row, {})

        is_load = row["run_id"] == FULL.run_id and row["billing_month"] == "2025-10"
        assert entry is not None or not is_load
