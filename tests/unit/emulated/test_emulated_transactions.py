"""Multi-statement transactions of the emulated BigQuery."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from google.cloud import bigquery as bq

from emulators.bigquery.access import LOADER
from emulators.bigquery.errors import JobError
from unit.emulated.bench import NOVEMBER, OCTOBER, Bench, error, http_error, succeeded

REPLACE = (
    "BEGIN TRANSACTION; "
    "DELETE FROM d.t WHERE month >= @from AND month < '2025-11-01'; "
    "INSERT INTO d.t (month, cost, service) SELECT month, cost, 'a;b' FROM d.stage; "
)
COMMIT = "COMMIT TRANSACTION;"
FROM = [bq.ScalarQueryParameter("from", "DATE", OCTOBER)]


@pytest.fixture
def staged(bench: Bench) -> Bench:
    """A row in October and one in November, and two for October in a staging table."""
    bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
    bench.create("stage")
    bench.load(bench.month("2.parquet", OCTOBER, OCTOBER), into="stage")
    return bench


def run(bench: Bench, sql: str, job_id: str | None = None) -> dict[str, Any]:
    """Insert the job, and give it back as it ended."""
    config = {
        "query": sql,
        "useLegacySql": False,
        "queryParameters": [one.to_api_repr() for one in FROM],
    }
    return bench.job("query", job_id, **config)


class TestTransactions:
    def test_all_its_changes_come_together(self, staged: Bench) -> None:
        before = staged.modified()
        seen: list[dict[str, int]] = []

        def look(stage: str, _job: dict[str, Any]) -> None:
            # From within the job no request gets through, so a reader's connection looks.
            if stage in {"statement:2", "commit"}:
                rows = staged.cloud.bigquery._runner.engine.new_connection().execute(  # noqa: SLF001
                    'SELECT strftime(month, \'%Y%m\'), count(*) FROM "bench__d"."t" GROUP BY 1'
                )
                seen.append(dict(rows.fetchall()))

        staged.cloud.bigquery.faults.append(look)
        job = run(staged, REPLACE + COMMIT)
        assert succeeded(job)
        assert job["statistics"]["query"]["statementType"] == "SCRIPT"
        assert seen == [{"202510": 1, "202511": 1}] * 2
        assert staged.counts() == {"202510": 2, "202511": 1}
        assert staged.rows("SELECT DISTINCT service FROM d.t WHERE month = '2025-10-01'") == [
            ("a;b",)
        ]
        after = staged.modified()
        assert after["202510"] > before["202510"]
        assert after["202511"] == before["202511"]

    def test_an_error_takes_all_of_them_back(self, staged: Bench) -> None:
        check = "SELECT IF(COUNT(*) = 9, 'whole', ERROR('not whole')) FROM d.t; "
        reason, message = error(run(staged, REPLACE + check + COMMIT))
        assert (reason, "not whole" in message) == ("invalidQuery", True)
        assert staged.counts() == {"202510": 1, "202511": 1}

    def test_without_a_commit_nothing_is_changed(self, staged: Bench) -> None:
        assert succeeded(run(staged, REPLACE))
        assert staged.counts() == {"202510": 1, "202511": 1}
        assert succeeded(run(staged, REPLACE + "ROLLBACK TRANSACTION;"))
        assert staged.counts() == {"202510": 1, "202511": 1}

    def test_a_fault_at_its_end_changes_nothing(self, staged: Bench) -> None:
        def fail(stage: str, _job: dict[str, Any]) -> None:
            if stage == "commit":
                raise JobError("backendError", "try again")

        staged.cloud.bigquery.faults.append(fail)
        assert error(run(staged, REPLACE + COMMIT, "once")) == ("backendError", "try again")
        assert staged.counts() == {"202510": 1, "202511": 1}
        staged.cloud.bigquery.faults.clear()
        with http_error(409):
            run(staged, REPLACE + COMMIT, "once")

    def test_a_job_that_runs_is_waited_for(self, staged: Bench) -> None:
        released = threading.Event()

        def wait(stage: str, _job: dict[str, Any]) -> None:
            if stage == "commit":
                released.wait(10)

        staged.cloud.bigquery.faults.append(wait)
        staged.cloud.bigquery.answer_after_s = 0.05
        config = bq.QueryJobConfig(query_parameters=FROM)
        slow: dict[str, Any] = {"job_config": config, "job_id": "slow", "job_retry": None}
        job = staged.client.query(REPLACE + COMMIT, **slow)
        try:
            assert job.state == "RUNNING"
            assert not job.done()
        finally:
            released.set()
        job.result()
        assert (job.state, job.error_result) == ("DONE", None)
        assert staged.counts() == {"202510": 2, "202511": 1}

    def test_a_table_of_which_not_all_rows_are_seen_is_not_changed(self, staged: Bench) -> None:
        staged.rows(
            "CREATE ROW ACCESS POLICY p ON d.t GRANT TO ('user:ada@example.com') "
            "FILTER USING (TRUE)"
        )
        assert error(run(staged, REPLACE + COMMIT))[0] == "accessDenied"
        staged.rows(f"CREATE ROW ACCESS POLICY q ON d.t GRANT TO ('{LOADER}') FILTER USING (TRUE)")
        assert succeeded(run(staged, REPLACE + COMMIT))
        assert staged.counts() == {"202510": 2, "202511": 1}

    def test_statements_that_no_transaction_takes_are_refused(self, staged: Bench) -> None:
        made = "BEGIN TRANSACTION; CREATE TABLE d.other (a INT64); COMMIT TRANSACTION;"
        assert error(run(staged, made))[0] == "invalidQuery"
