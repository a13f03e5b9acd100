"""`query` on both warehouses: exact answers, nothing written, and errors that say what there is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import BytesLimitError, ConfigError, QueryError
from cloudbill.focus.keeping import keep_views
from cloudbill.looking.answer_words import answer_lines, csv_pieces, json_pieces
from cloudbill.warehouses import open_warehouse
from contract.conftest import LOOKING_WAYS
from contract.octobers import october

if TYPE_CHECKING:
    from cloudbill.warehouses.asking import Questions
    from contract.places import Case
    from emulators.fixtures import Cloud

WAYS = LOOKING_WAYS
OWN_FILE = True
LONG = "12345678901234567890.123456789012345678"
MINUS = "-0.000000000000000001"


@pytest.fixture
def questions(case: Case) -> Iterator[Questions]:
    """What answers SQL over a table with two charges, and the view over it."""
    case.deliver(october(LONG, MINUS))
    case.load()
    keep_views([case.settings])
    with closing(open_warehouse(case.settings.warehouse, read_only=True)) as opened:
        yield opened.questions()


def ask(questions: Questions, sql: str) -> list[tuple[object, ...]]:
    """The rows of an answer."""
    return [tuple(row) for batch in questions.ask(sql, lambda _: None).batches for row in batch]


def test_tables_and_the_view_are_known_by_their_names_alone(
    questions: Questions, case: Case
) -> None:
    total = Decimal(LONG)
    assert ask(questions, "SELECT MAX(BilledCost) FROM focus") == [(total,)]
    cost = case.writer.cost_column
    rows = ask(questions, f"SELECT {cost} FROM {case.table} ORDER BY 1 -- the end")  # noqa: S608
    assert rows == [(Decimal(MINUS),), (total,)]


def test_no_digit_is_lost_in_json_or_csv_or_on_the_terminal(questions: Questions) -> None:
    sql = "SELECT BilledCost AS cost, '' AS empty, NULL AS missing FROM focus ORDER BY 1 DESC"
    document = json.loads("\n".join(json_pieces(questions.ask(sql, lambda _: None))))
    assert [column["name"] for column in document["columns"]] == ["cost", "empty", "missing"]
    first, last = document["rows"]
    assert (first["empty"], first["missing"]) == ("", None)
    assert [row["cost"].rstrip("0") for row in (first, last)] == [LONG, MINUS]
    text = "\n".join(csv_pieces(questions.ask(sql, lambda _: None)))
    assert text.splitlines()[1].endswith(',"",')
    assert [row["cost"].rstrip("0") for row in csv.DictReader(text.splitlines())] == [LONG, MINUS]
    lines = list(answer_lines(questions.ask(sql, lambda _: None), most=9, width=80, exact=True))
    assert "12,345,678,901,234,567,890.123456789012345678" in lines[1]
    _, first_line, *_, said = answer_lines(questions.ask(sql, lambda _: None), most=9, width=80)
    assert "12,345,678,901,234,567,890.12 " in first_line
    assert said.startswith("Rounded to two decimals")


def test_rows_that_are_not_shown_are_counted(questions: Questions) -> None:
    sql = "SELECT BilledCost FROM focus"
    *_, last = answer_lines(questions.ask(sql, lambda _: None), most=1, width=80)
    assert last.startswith("... and 1 more row:")
    (said,) = answer_lines(questions.ask(f"{sql} WHERE FALSE", lambda _: None), most=1, width=80)
    assert said == "No rows. The columns would be: BilledCost"


WRITING = (
    "DELETE FROM {table} WHERE TRUE",
    "CREATE TABLE copied AS SELECT * FROM {table}",
    "CREATE OR REPLACE VIEW focus AS SELECT 1 AS one",
    "DROP VIEW focus",
    "SELECT 1; DROP VIEW focus",
)


def test_sql_that_writes_does_not_run(questions: Questions, case: Case) -> None:
    for sql in WRITING:
        with pytest.raises(QueryError):
            ask(questions, sql.format(table=case.table))
        assert ask(questions, "SELECT COUNT(*) FROM focus") == [(2,)]


def test_an_error_names_the_nearest_table_and_all_there_are(
    questions: Questions, case: Case
) -> None:
    with pytest.raises(QueryError) as raised:
        ask(questions, "SELECT * FROM focu")
    said = str(raised.value)
    assert "Did you mean " in said
    assert "finops has focus, " in said
    assert case.table in said
    assert "_dlt" not in said
    with pytest.raises(QueryError, match="finops has focus, ") as raised:
        ask(questions, "SELECT * FROM genum")
    # No table of the warehouse's own catalog is proposed.
    assert "pg_enum" not in str(raised.value)


def test_a_mistake_is_told_in_the_words_of_the_warehouse(questions: Questions) -> None:
    with pytest.raises(QueryError, match="BiledCost"):
        ask(questions, "SELECT BiledCost FROM focus")
    with pytest.raises(QueryError):
        ask(questions, "SELEC 1")


class TestDuckDB:
    WAYS = (("azure csv", "duckdb"),)

    LEAVING = (
        ("COPY focus TO '{folder}/out.csv'", "got COPY"),
        ("ATTACH '{folder}/other.duckdb' AS other", "got ATTACH"),
        ("INSTALL httpfs", "got LOAD"),
        ("SET threads = 1", "got SET"),
        ("PRAGMA enable_profiling", "got PRAGMA"),
        ("CALL enable_logging()", "got CALL"),
        ("CREATE TEMP TABLE t AS SELECT 1", "got CREATE"),
        ("SELECT * FROM enable_logging(storage = 'file')", "locked"),
        ("SELECT * FROM read_csv('{folder}/secret.csv')", "disabled"),
        ("SELECT * FROM '{folder}/secret.csv'", "disabled"),
        ("WITH gone AS (DELETE FROM bill RETURNING *) SELECT * FROM gone", "read-only"),
        ("EXPLAIN ANALYZE DELETE FROM bill", "read-only"),
        ("", "no statement"),
    )

    def test_nothing_leaves_the_file(self, questions: Questions, tmp_path: Path) -> None:
        (tmp_path / "secret.csv").write_text("a\n1\n")
        before = {file.name for file in tmp_path.iterdir()}
        for sql, said in self.LEAVING:
            with pytest.raises(QueryError, match=said):
                ask(questions, sql.format(folder=tmp_path))
            assert {file.name for file in tmp_path.iterdir()} == before
            assert ask(questions, "SELECT COUNT(*) FROM bill") == [(2,)]

    def test_a_file_that_is_not_there_is_not_made(self, case: Case, tmp_path: Path) -> None:
        with (
            closing(open_warehouse(case.settings.warehouse, read_only=True)) as opened,
            pytest.raises(ConfigError, match=r"no DuckDB file .* Run `cloudbill load` first"),
        ):
            opened.questions()
        assert not list(tmp_path.glob("*.duckdb"))

    def test_a_schema_may_have_any_name(self, case: Case) -> None:
        case.keys = {"dataset": 'my "bills", 2.0', "table_name": "bill's"}
        case.deliver(october("1"))
        case.load()
        with closing(open_warehouse(case.settings.warehouse, read_only=True)) as opened:
            questions = opened.questions()
            assert ask(questions, 'SELECT COUNT(*) FROM "bill\'s"') == [(1,)]
            assert "bill's" in questions.names()


class TestBigQuery:
    WAYS = (("azure parquet", "bigquery"),)

    def test_what_is_scanned_is_said_before_it_is(
        self, questions: Questions, case: Case, cloud: Cloud
    ) -> None:
        told = []
        before = len(cloud.bigquery.jobs())
        sql = f"SELECT SUM(BilledCost) FROM {case.table}"  # noqa: S608

        def tell(size: int) -> None:
            ran = [job["configuration"] for job in cloud.bigquery.jobs()[before:]]
            assert all(job.get("dryRun") for job in ran)
            told.append(size)

        questions.ask(sql, tell)
        assert told == [10 * 1024 * 1024]

    def test_a_query_that_would_bill_too_much_does_not_run(self, case: Case, cloud: Cloud) -> None:
        case.deliver(october("1", "2"))
        case.load()
        case.keys = {"maximum_bytes_billed": str(20 * 1024 * 1024)}
        cloud.bigquery.row_weight = 1024 * 1024
        sql = f"SELECT SUM(BilledCost) FROM {case.table}"  # noqa: S608
        with (
            closing(open_warehouse(case.settings.warehouse, read_only=True)) as opened,
            pytest.raises(BytesLimitError, match="It did not run"),
        ):
            ask(opened.questions(), sql)

    def test_only_a_select_runs(self, questions: Questions) -> None:
        for sql in (
            "EXPORT DATA OPTIONS (uri = 'gs://bills/*', format = 'CSV') AS SELECT 1",
            "DECLARE x INT64; SELECT 1",
            "TRUNCATE TABLE bill",
        ):
            with pytest.raises(QueryError):
                ask(questions, sql)
