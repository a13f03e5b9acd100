"""What the smoke test asks BigQuery itself, besides what loads and other commands ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.cloud import bigquery

from cloudbill.errors import LoadError
from cloudbill.sql import BIGQUERY, Fragment

if TYPE_CHECKING:
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = ["MOST_BYTES", "STATEMENTS", "grantee", "start"]

MOST_BYTES: Final = 100_000_000
"""What one query may bill; BigQuery bills 10 MB for each table that it reads, or more."""

_ACCOUNT: Final = re.compile(r"[\w.+%-]+@[\w.-]+", re.ASCII)

STATEMENTS: Final = {
    "listing": "SELECT partition_id, last_modified_time, total_rows, CURRENT_TIMESTAMP() AS now "
    "FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table",
    "count": "SELECT COUNT(*) AS rows_of_all FROM {table}",
    "account": "SELECT SESSION_USER() AS account",
    "grant": "CREATE ROW ACCESS POLICY all_rows ON {table} GRANT TO ({grantee}) "
    "FILTER USING (TRUE)",
    "replace": "BEGIN TRANSACTION; "
    "DELETE FROM {table} WHERE period >= TIMESTAMP '2025-01-01' "
    "AND period < TIMESTAMP '2025-02-01'; "
    "INSERT INTO {table} (period, word) SELECT period, word FROM {staging}; "
    "COMMIT TRANSACTION;",
}
"""Each statement under its name; the analyser of Google reads them in the tests."""


def start(
    client: PersistentClient,
    name: str,
    *,
    location: str | None,
    table_name: str | None = None,
    **pieces: tuple[str, ...] | Fragment,
) -> bigquery.QueryJob:
    """Starts a statement as a job; `table_name` is the value of its parameter, if it has one.

    Raises:
        GoogleAPICallError: If BigQuery refuses it at once.
    """
    text = bigquery.ScalarQueryParameter("table", "STRING", table_name)
    config = bigquery.QueryJobConfig(
        maximum_bytes_billed=MOST_BYTES, query_parameters=[text] if table_name else []
    )
    statement = BIGQUERY.compose(STATEMENTS[name], **pieces).text
    return client.query(statement, job_config=config, location=location)


def grantee(account: str) -> Fragment:
    """An account as statements that grant name it.

    Raises:
        LoadError: If it is none.
    """
    if not _ACCOUNT.fullmatch(account):
        raise LoadError(f"'{account}' is no account to which rows can be granted")
    kind = "serviceAccount" if account.endswith(".gserviceaccount.com") else "user"
    return Fragment(f"'{kind}:{account}'")
