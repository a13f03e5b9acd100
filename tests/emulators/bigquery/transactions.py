"""Multi-statement transactions: https://cloud.google.com/bigquery/docs/transactions .

A query that begins one is a job like a load: others see all of it at once or nothing. After an
error "the query fails and BigQuery automatically rolls back", and so it does where the query ends
before it commits. bqemulator's own scripts let readers see half of one, and bind no parameters.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import sqlglot
from bqemulator.domain.errors import DomainError
from bqemulator.jobs.executor import JOB_RESULTS, JOB_SCHEMAS
from bqemulator.sql.inner_query import rewrite_and_translate_statement
from bqemulator.sql.parameters import bind_parameters
from bqemulator.sql.table_rewriter import rewrite_table_refs
from bqemulator.sql.translator import SQLTranslator

from emulators.bigquery.billing import bytes_billed, require_within
from emulators.bigquery.errors import JobError
from emulators.bigquery.partitions import stamping_changes
from emulators.bigquery.protection import check_statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulators.bigquery.jobs import JobRun, JobRunner, Statistics

_BEGIN = re.compile(r"\s*BEGIN\s+TRANSACTION\s*;", re.IGNORECASE)
_ENDS = {"COMMIT TRANSACTION": "COMMIT", "ROLLBACK TRANSACTION": "ROLLBACK"}
# "Statements supported in transactions"; of temporary tables nothing is emulated.
_SUPPORTED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE")


def is_transaction(sql: str) -> bool:
    """Whether a query is a script that begins a transaction."""
    return _BEGIN.match(sql) is not None


def run_transaction(
    run: JobRun, runner: JobRunner, project: str, job_id: str, query: dict[str, Any]
) -> Statistics:
    """Run all statements of the script, each a stage of the job: "statement:0", "statement:1"...

    Its limit is one of all of them together. Nobody has seen how the service counts it.
    """
    JOB_RESULTS[job_id], JOB_SCHEMAS[job_id] = pa.table({}), []
    sql = query["query"]
    run.fault("start")
    parameters = query.get("queryParameters") or []
    billed = sum(bytes_billed(runner, one, parameters) for one in _statements(sql))
    require_within(query.get("maximumBytesBilled"), billed)
    is_open = False
    with stamping_changes(runner, sql):
        try:
            for number, statement in enumerate(_statements(sql)):
                words = " ".join(statement.upper().split())
                if words == "BEGIN TRANSACTION":
                    run.connection.execute("BEGIN TRANSACTION")
                    is_open = True
                elif words in _ENDS:
                    run.fault("commit")
                    run.connection.execute(_ENDS[words])
                    is_open = False
                else:
                    run.fault(f"statement:{number}")
                    _execute(run, runner, project, statement, parameters)
        finally:
            if is_open:
                run.connection.execute("ROLLBACK")
    return {
        "statementType": "SCRIPT",
        "totalBytesProcessed": str(billed),
        "totalBytesBilled": str(billed),
    }


def _statements(sql: str) -> Iterator[str]:
    start = 0
    for token in sqlglot.tokenize(sql, read="bigquery"):
        if token.token_type.name == "SEMICOLON":
            yield sql[start : token.start].strip()
            start = token.end + 1
    if sql[start:].strip():
        yield sql[start:].strip()


def _execute(run: JobRun, runner: JobRunner, project: str, statement: str, parameters: Any) -> None:
    if not statement.upper().startswith(_SUPPORTED):
        raise JobError("invalidQuery", f"Statement is not supported in a transaction: {statement}")
    check_statement(run.access, run.catalog, project, statement)
    try:
        translated = asyncio.run(
            rewrite_and_translate_statement(
                statement,
                project_id=project,
                ctx=runner.context,
                caller=run.access.identity(),
                translator=SQLTranslator(),
            )
        )
        text, values = bind_parameters(rewrite_table_refs(translated, project), parameters)
        run.connection.execute(text, values).fetchall()
    except (DomainError, duckdb.Error) as error:
        said = getattr(error, "message", None) or str(error).removeprefix("Invalid Input Error: ")
        raise JobError("invalidQuery", f"Query error: {said} at [1:1]") from error
