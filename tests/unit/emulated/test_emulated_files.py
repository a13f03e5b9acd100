"""The emulated BigQuery reads files as the documentation says."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unit.emulated.bench import (
    FIELDS,
    NOVEMBER,
    OCTOBER,
    Bench,
    api_error,
    error,
    http_error,
    succeeded,
)


class TestParquet:
    @pytest.mark.parametrize("stated", ["NULLABLE", "REQUIRED"])
    def test_a_column_has_the_mode_in_the_file_that_the_job_states(
        self, bench: Bench, stated: str
    ) -> None:
        in_file = "REQUIRED" if stated == "NULLABLE" else "NULLABLE"
        sink = io.BytesIO()
        field = pa.field("x", pa.string(), nullable=in_file == "NULLABLE")
        pq.write_table(pa.table({"x": ["a"]}, schema=pa.schema([field])), sink)
        uri = bench.put("folder/1.parquet", sink.getvalue())
        fields = [{"name": "x", "type": "STRING", "mode": stated}]
        create: dict[str, Any] = {
            "createDisposition": "CREATE_IF_NEEDED",
            "schema": {"fields": fields},
        }
        reason, message = error(bench.load(uri, into="new", **create))
        assert reason == "invalid"
        assert (
            "Provided schema is not compatible with the file '1.parquet'. Field 'x' is specified "
            f"as {stated} in provided schema which does not match {in_file} as specified in the "
            "file."
        ) in message
        fields[0]["mode"] = in_file
        assert succeeded(bench.load(uri, into="new", **create))

    @pytest.mark.parametrize(
        ("precision", "scale", "targets", "expected"),
        [
            (38, 9, ["BIGNUMERIC", "NUMERIC"], "NUMERIC"),
            (38, 10, ["NUMERIC", "BIGNUMERIC"], "BIGNUMERIC"),
            (38, 18, ["BIGNUMERIC"], "BIGNUMERIC"),
            (38, 9, ["STRING", "BIGNUMERIC"], "BIGNUMERIC"),
            (20, 4, None, "NUMERIC"),
        ],
    )
    def test_decimals_take_the_first_type_that_holds_them(
        self, bench: Bench, precision: int, scale: int, targets: list[str] | None, expected: str
    ) -> None:
        column = pa.array([Decimal("1.25")], pa.decimal128(precision, scale))
        uri = bench.parquet("1.parquet", x=column)
        create: dict[str, Any] = {
            "createDisposition": "CREATE_IF_NEEDED",
            "decimalTargetTypes": targets,
        }
        assert succeeded(bench.load(uri, into="new", **create))
        assert bench.client.get_table("d.new").schema[0].field_type == expected
        assert bench.rows("SELECT x FROM d.new") == [(Decimal("1.25"),)]

    def test_a_decimal_that_numeric_cannot_hold_fails_the_job(self, bench: Bench) -> None:
        column = pa.array([Decimal("0.0000000001")], pa.decimal128(38, 18))
        uri = bench.parquet("1.parquet", x=column)
        create: dict[str, Any] = {
            "createDisposition": "CREATE_IF_NEEDED",
            "decimalTargetTypes": None,
        }
        assert "out of valid NUMERIC range" in error(bench.load(uri, into="new", **create))[1]

    def test_all_eighteen_digits_arrive(self, bench: Bench) -> None:
        cost = "12345678901234567890.123456789012345678"
        bench.load(bench.month("1.parquet", OCTOBER, cost=cost), into="t$202510")
        assert bench.costs() == [Decimal(cost)]
        assert [row["cost"] for row in bench.client.list_rows("d.t")] == [Decimal(cost)]

    def test_the_schema_is_that_of_the_alphabetically_last_file(self, bench: Bench) -> None:
        first = bench.parquet("a.parquet", x=[1])
        last = bench.parquet("b.parquet", x=[2], y=["z"])
        create: dict[str, Any] = {"createDisposition": "CREATE_IF_NEEDED"}
        assert succeeded(bench.load(last, first, into="new", **create))
        assert bench.rows("SELECT * FROM d.new ORDER BY x") == [(1, None), (2, "z")]

    def test_columns_match_by_name_whatever_their_order_and_case(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", SERVICE=["vm"], Month=[OCTOBER])
        assert succeeded(bench.load(uri, into="t$202510"))
        assert bench.rows("SELECT month, cost, service FROM d.t") == [(OCTOBER, None, "vm")]

    def test_with_a_schema_missing_columns_are_null(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER])
        assert succeeded(bench.load(uri, into="t$202510", schema={"fields": FIELDS}))
        assert bench.rows("SELECT cost, service FROM d.t") == [(None, None)]

    def test_with_a_schema_another_type_is_an_error(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER], service=[1])
        job = bench.load(uri, into="t$202510", schema={"fields": FIELDS})
        assert "Parquet column 'service' has type int64" in error(job)[1]

    @pytest.mark.parametrize("names", [["a", "A"], ["a.b"], ["lineItem/Cost"], ["_TABLE_x"]])
    def test_names_that_bigquery_refuses_fail_the_job(self, bench: Bench, names: list[str]) -> None:
        uri = bench.parquet("1.parquet", **{name: [1] for name in names})
        job = bench.load(uri, into="new", createDisposition="CREATE_IF_NEEDED")
        assert error(job)[0] == "invalid"

    def test_times_are_utc_where_they_say_so_or_the_schema_does(self, bench: Bench) -> None:
        at = dt.datetime(2025, 10, 1, 12, 30, 0, 123456, tzinfo=dt.UTC)
        naive = pa.array([at.replace(tzinfo=None)], pa.timestamp("us"))
        aware = pa.array([at], pa.timestamp("ms", "UTC"))
        uri = bench.parquet("1.parquet", naive=naive, aware=aware.cast(pa.timestamp("us", "UTC")))
        bench.load(uri, into="new", createDisposition="CREATE_IF_NEEDED")
        assert [field.field_type for field in bench.client.get_table("d.new").schema] == [
            "DATETIME",
            "TIMESTAMP",
        ]
        assert bench.rows("SELECT aware FROM d.new") == [(at.replace(microsecond=123000),)]
        fields = [{"name": "naive", "type": "TIMESTAMP"}, {"name": "aware", "type": "TIMESTAMP"}]
        bench.load(
            uri, into="told", createDisposition="CREATE_IF_NEEDED", schema={"fields": fields}
        )
        assert bench.rows("SELECT naive FROM d.told") == [(at,)]


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        ["1E-7", "-2.5e+3", "0.123456789012345678", "9.1234567890123456E-2", "12E-18", "5", ".5"],
    )
    def test_decimals_arrive_exactly_in_every_notation(self, bench: Bench, text: str) -> None:
        assert succeeded(bench.csv(f"m,c,s\n2025-10-01,{text},vm\n"))
        assert bench.costs() == [Decimal(text)]

    @pytest.mark.parametrize("text", ["abc", "1,5", "0." + "1" * 39, "1e-39", "NaN", "1_000"])
    def test_what_is_no_bignumeric_fails_the_job(self, bench: Bench, text: str) -> None:
        job = bench.csv(f'm,c,s\n2025-10-01,"{text}",vm\n')
        assert f"Invalid BIGNUMERIC value: {text}" in error(job)[1]

    def test_the_emulator_never_rounds(self, bench: Bench) -> None:
        job = bench.csv("m,c,s\n2025-10-01,0.1234567890123456789,vm\n")
        assert error(job)[0] == "notImplemented"

    def test_numeric_takes_nine_fraction_digits(self, bench: Bench) -> None:
        bench.create("n", schema={"fields": [{"name": "x", "type": "NUMERIC"}]}, **PLAIN)
        assert succeeded(bench.csv("x\n1.123456789\n", into="n"))
        assert "Invalid NUMERIC value" in error(bench.csv("x\n1.1234567891\n", into="n"))[1]

    def test_gzip_is_read(self, bench: Bench) -> None:
        assert succeeded(bench.csv(gzip.compress(b"m,c,s\n2025-10-01,1,vm\n")))
        assert bench.costs() == [Decimal(1)]

    def test_columns_match_by_position_or_by_name(self, bench: Bench) -> None:
        text = "service,cost,month\nvm,1,2025-10-01\n"
        assert error(bench.csv(text))[0] == "invalid"
        assert succeeded(bench.csv(text, sourceColumnMatch="NAME"))
        assert bench.rows("SELECT month, cost, service FROM d.t") == [(OCTOBER, Decimal(1), "vm")]

    def test_quoted_newlines_must_be_allowed(self, bench: Bench) -> None:
        text = 'm,c,s\n2025-10-01,1,"two\nlines"\n'
        assert "Missing close quote" in error(bench.csv(text))[1]
        assert succeeded(bench.csv(text, allowQuotedNewlines=True))
        assert bench.rows("SELECT service FROM d.t") == [("two\nlines",)]

    def test_an_empty_cell_is_null_and_a_quoted_one_is_text(self, bench: Bench) -> None:
        assert succeeded(bench.csv('m,c,s\n2025-10-01,,\n2025-10-01,,""\n'))
        found = bench.rows("SELECT cost, service FROM d.t ORDER BY service NULLS FIRST")
        assert found == [(None, None), (None, "")]

    def test_a_null_marker_takes_the_place_of_the_empty_cell(self, bench: Bench) -> None:
        assert succeeded(bench.csv("m,c,s\n2025-10-01,NULL,\n", nullMarker="NULL"))
        assert bench.rows("SELECT cost, service FROM d.t") == [(None, "")]
        assert error(bench.csv("m,c,s\n2025-10-01,,\n", nullMarker="NULL"))[0] == "invalid"

    def test_short_rows_must_be_allowed(self, bench: Bench) -> None:
        text = "m,c,s\n2025-10-01,1\n"
        assert error(bench.csv(text))[0] == "invalid"
        assert succeeded(bench.csv(text, allowJaggedRows=True))
        assert bench.rows("SELECT service FROM d.t") == [(None,)]

    def test_long_rows_fail_the_job(self, bench: Bench) -> None:
        assert error(bench.csv("m,c,s\n2025-10-01,1,vm,more\n"))[0] == "invalid"

    @pytest.mark.parametrize("rows", ["", "m,c,s\n"])
    def test_a_file_without_rows_is_a_success(self, bench: Bench, rows: str) -> None:
        assert bench.csv(rows)["statistics"]["load"]["outputRows"] == "0"

    def test_a_timestamp_has_a_time_of_day(self, bench: Bench) -> None:
        bench.create("s", schema={"fields": [{"name": "at_time", "type": "TIMESTAMP"}]}, **PLAIN)
        good = "at\n2025-10-01T00:00:00Z\n2025-10-01 00:00:00 UTC\n2025-10-01 02:00:00+02:00\n"
        assert succeeded(bench.csv(good, into="s"))
        midnight = dt.datetime(2025, 10, 1, tzinfo=dt.UTC)
        assert set(bench.rows("SELECT at_time FROM d.s")) == {(midnight,)}
        assert error(bench.csv("at\n2025-10-01\n", into="s"))[0] == "invalid"


PLAIN: dict[str, Any] = {"timePartitioning": None, "clustering": None}


class TestUploads:
    def upload(self, bench: Bench, data: bytes, file_format: str, **kwargs: Any) -> Any:
        from google.cloud.bigquery import LoadJobConfig

        options = {"source_format": file_format, "write_disposition": "WRITE_TRUNCATE"}
        config = LoadJobConfig(**options, **kwargs.pop("config", {}))
        into = kwargs.pop("into", "d.t$202510")
        job = bench.client.load_table_from_file(io.BytesIO(data), into, job_config=config, **kwargs)
        return job.result(timeout=10)

    @pytest.mark.parametrize("size", [None, 28])
    def test_csv_goes_into_a_partition_under_the_id_of_the_client(
        self, bench: Bench, size: int | None
    ) -> None:
        data = b"month,cost,service\n2025-10-01"[19:] + b",1E-7,vm\n\n"
        data = data.ljust(28, b"\n")[:28]
        job = self.upload(bench, data, "CSV", job_id="mine", size=size)
        assert (job.job_id, job.output_rows, job.input_files) == ("mine", 1, 1)
        assert job.input_file_bytes == 28
        assert bench.costs() == [Decimal("1E-7")]
        with http_error(409):
            self.upload(bench, data, "CSV", job_id="mine", size=size)

    def test_json_is_read_by_name_without_losing_a_digit(self, bench: Bench) -> None:
        rows = [
            {"month": "2025-10-01", "cost": "0.123456789012345678"},
            {"Service": None, "month": "2025-10-01", "cost": "1E-7"},
        ]
        data = "\n".join(map(json.dumps, rows)).encode()
        self.upload(bench, gzip.compress(data), "NEWLINE_DELIMITED_JSON")
        assert bench.costs() == [Decimal("1E-7"), Decimal("0.123456789012345678")]

    def test_an_unknown_key_of_json_fails_the_job(self, bench: Bench) -> None:
        data = b'{"month": "2025-10-01", "other": 1}'
        with pytest.raises(api_error(), match="No such field: other"):
            self.upload(bench, data, "NEWLINE_DELIMITED_JSON")

    def test_parquet_that_spans_months_changes_nothing(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")
        sink = io.BytesIO()
        pq.write_table(pa.table({"month": [OCTOBER, NOVEMBER]}), sink)
        with pytest.raises(api_error(), match="Some rows belong to different partitions"):
            self.upload(bench, sink.getvalue(), "PARQUET")
        assert bench.counts() == {"202510": 1}
