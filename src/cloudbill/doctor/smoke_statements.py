"""What the smoke test asks BigQuery itself, besides what loads and other commands ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.cloud import bigquery

from cloudbill.sql import BIGQUERY

if TYPE_CHECKING:
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = ["MOST_BYTES", "STATEMENTS", "ask"]

MOST_BYTES: Final = 100_000_000
"""What one query may bill; BigQuery bills 10 MB for each table that it reads, or more."""

STATEMENTS: Final = {
    "listing": "SELECT partition_id, last_modified_time, total_rows, CURRENT_TIMESTAMP() AS now "
    "FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table",
    "words": "SELECT FORMAT_TIMESTAMP('%Y%m', period) AS month, "
    "STRING_AGG(word, ' ' ORDER BY word) AS words FROM {table} GROUP BY month",
    "count": "SELECT COUNT(*) AS rows_of_all FROM {table}",
}
"""Each statement under its name; the analyser of Google reads them in the tests."""


def ask(
    client: PersistentClient,
    name: str,
    *,
    location: str | None,
    table_name: str | None = None,
    **pieces: tuple[str, ...] | str,
) -> list[bigquery.Row]:
    """The rows of a statement; `table_name` is the value of its parameter, if it has one.

    Raises:
        GoogleAPICallError: If BigQuery refuses it.
    """
    text = bigquery.ScalarQueryParameter("table", "STRING", table_name)
    config = bigquery.QueryJobConfig(
        maximum_bytes_billed=MOST_BYTES, query_parameters=[text] if table_name else []
    )
    statement = BIGQUERY.compose(STATEMENTS[name], **pieces).text
    return client.rows(statement, job_config=config, location=location)
