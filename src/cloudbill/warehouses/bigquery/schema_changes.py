"""Changes the schema of a table, while others may change it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.incoming import Incoming, fitted
from cloudbill.warehouses.bigquery.tables import extended, fit_into

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad
    from cloudbill.providers import Provider

__all__ = ["add_columns", "change_schema", "extend_table"]

_READ_AGAIN: Final = 4


def add_columns(client: PersistentClient, reference: str, columns: Mapping[str, str]) -> None:
    """Adds columns to a table, in BigQuery's types; a change of the schema costs nothing."""
    # The API has no lengths such as in `STRING(64)`, and a column without one holds as much.
    added = [
        bigquery.SchemaField(column, kind.partition("(")[0]) for column, kind in columns.items()
    ]
    with bigquery_errors(f"Adding columns to {reference}"):
        change_schema(client, reference, lambda table: _with(table.schema, added))


def _with(
    schema: Sequence[bigquery.SchemaField], added: Sequence[bigquery.SchemaField]
) -> list[bigquery.SchemaField]:
    """A schema with the columns that it lacks: another process may have added them."""
    have = {str(field.name).lower() for field in schema}
    return [*schema, *(field for field in added if str(field.name).lower() not in have)]


def extend_table(
    client: PersistentClient,
    reference: str,
    planned: PlannedLoad,
    incoming: Incoming,
    provider: Provider,
) -> tuple[bigquery.Table, Incoming]:
    """A table with all columns and headers of a run, and NULLABLE where the run is.

    The run is returned as it is loaded into the table, by the headers that the table has then: of
    two months that bring alike headers at once, the second one finds those of the first.

    Raises:
        SchemaError: If a column does not fit.
    """
    taken = incoming

    def with_columns(table: bigquery.Table) -> Sequence[bigquery.SchemaField]:
        nonlocal taken
        taken = fitted(incoming, table, planned, provider)
        fit = fit_into(table, taken.columns, provider, planned.manifest)
        taken.relaxes(table.schema)  # says so
        return extended(table.schema, taken.columns, fit.added, required=taken.required)

    return change_schema(client, reference, with_columns), taken


def change_schema(
    client: PersistentClient,
    reference: str,
    change: Callable[[bigquery.Table], Sequence[bigquery.SchemaField]],
) -> bigquery.Table:
    """Gives a table the schema that `change` makes of what it is, and returns the table.

    The client sends the etag of the table that it read, and BigQuery refuses the change if somebody
    changed the table meanwhile (`tables.patch`, If-Match). Then the table is read again.

    Raises:
        PreconditionFailed: If the table was changed each time.
    """
    for _ in range(_READ_AGAIN):
        table = client.get_table(reference)
        wanted = list(change(table))
        if wanted == list(table.schema):
            return table
        table.schema = wanted
        try:
            changed = client.update_table(table, ["schema"])
        except api.PreconditionFailed:
            continue
        # If an answer was lost, this is the table as somebody else left it.
        if _told(change(changed)) == _told(changed.schema):
            return changed
    raise api.PreconditionFailed(f"{reference} was changed {_READ_AGAIN} times meanwhile")


def _told(schema: Iterable[bigquery.SchemaField]) -> set[tuple[str, str, str, str]]:
    """What a schema says of its columns that a load depends on."""
    return {
        (
            str(field.name).lower(),
            str(field.field_type),
            str(field.mode or "NULLABLE"),
            str(field.description or ""),
        )
        for field in schema
    }
