"""The SQL of a user in BigQuery: only a SELECT runs, and what it scans is said first.

A dry run says which kind of statement the SQL is, and what it would scan; it is free ("Run a query
dry run").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.errors import QueryError
from cloudbill.warehouses.asking import Answer, AnswerColumn, Questions, ScanListener, refusal
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.errors import reason_of

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator

    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["BigQueryQuestions"]

_NUMBERS: Final = frozenset(
    {"BIGNUMERIC", "FLOAT", "FLOAT64", "INT64", "INTEGER", "NUMERIC", "BIGDECIMAL", "DECIMAL"}
)
_OF_THE_SQL: Final = frozenset({"invalid", "invalidQuery", "notFound"})


class BigQueryQuestions(Questions):
    """Answers questions by jobs of their own."""

    def __init__(self, client: PersistentClient, dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset

    def ask(self, sql: str, tell: ScanListener) -> Answer:
        """The answer to one SELECT; see `Questions.ask`."""
        with self._errors():
            dry = self._client.query(
                sql,
                job_config=self._config(dry_run=True, maximum_bytes_billed=None),
                location=self._dataset.location,
            )
            if dry.statement_type != "SELECT":
                raise QueryError(
                    f"`query` only reads: it takes one SELECT, and got {dry.statement_type}"
                )
            tell(int(dry.total_bytes_processed or 0))
            rows = self._client.answer(
                sql, job_config=self._config(), location=self._dataset.location
            )
        columns = tuple(
            AnswerColumn(
                name=str(field.name),
                type=str(field.field_type),
                is_number=field.field_type in _NUMBERS and field.mode != "REPEATED",
            )
            for field in rows.schema
        )
        return Answer(
            columns=columns, batches=self._batches(rows), count=lambda: int(rows.total_rows or 0)
        )

    def _config(self, **options: Any) -> bigquery.QueryJobConfig:
        project, name = self._dataset.path()
        return self._dataset.query_config(
            (), default_dataset=bigquery.DatasetReference(project, name), **options
        )

    def _batches(self, rows: RowIterator) -> Iterator[Sequence[Sequence[object]]]:
        pages = iter(rows.pages)
        while True:
            with self._errors():
                page = next(pages, None)
                found = None if page is None else [row.values() for row in page]
            if found is None:
                return
            yield found

    def names(self) -> Sequence[str]:
        """The tables and views of the dataset; see `Questions.names`."""
        with bigquery_errors("Listing the tables"):
            try:
                tables = list(self._client.list_tables(".".join(self._dataset.path())))
            except api.NotFound:
                return ()
        found = sorted((one.table_type != "VIEW", str(one.table_id)) for one in tables)
        return [name for _, name in found if not name.startswith("_dlt")]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with bigquery_errors("The query"):
            try:
                yield
            except (api.BadRequest, api.NotFound) as error:
                if reason_of(error) not in _OF_THE_SQL:
                    raise
                reason = str(error.errors[0].get("message") or error.message)
                raise refusal(reason, self.names, self._dataset.path()[1]) from error
