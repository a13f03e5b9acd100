"""The statements by which a person makes a table that loads take out of one that they refuse; pure.

Sources: BigQuery, "CREATE TABLE LIKE statement" (what the new table inherits, and that its clauses
replace that), "ALTER TABLE DROP COLUMN statement" (no columns of a table with row access policies,
so the old table is left as it is).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cloudbill.sql import BIGQUERY, Fragment

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.sql import Piece

__all__ = ["conversion_of"]

# "CREATE TABLE statement", partition expressions: each type has its own function.
_TRUNC: Final[Mapping[str, str]] = {"DATE": "DATE_TRUNC", "DATETIME": "DATETIME_TRUNC"}
_LEFT: Final = (
    "The new table has the descriptions, modes, labels and expirations of the old one. Row access "
    "policies, and rights that were given on the table itself, have to be made anew, and policy "
    "tags compared, before the last two statements."
)


def conversion_of(
    table: bigquery.Table,
    *,
    partitions_by: str | None = None,
    clusters_by: str = "",
    changed: Mapping[str, str] | None = None,
) -> str:
    """The statements, an indented line each, and what they do not keep.

    `partitions_by` is the column whose months become partitions, or None where the partitions of
    the table are right; the clusters of a table that has some stay. `changed` has the new types of
    columns, in BigQuery's words.
    """
    project, dataset, name = map(str, (table.project, table.dataset_id, table.table_id))
    changed = changed or {}
    pieces: dict[str, Piece] = {
        "old": (project, dataset, name),
        "new": (project, dataset, f"{name}_converted"),
        "partitions": _partitions(table, partitions_by, clusters_by),
        "dropped": [_of(one, "DROP COLUMN {name}") for one in changed],
        "added": [_of(one, "ADD COLUMN {name} {kind}", kind) for one, kind in changed.items()],
        "values": _values(changed),
        "backup": f"{name}_before",
        "name": name,
    }
    lines = ["CREATE TABLE {new} LIKE {old}{partitions}"]
    if changed:
        lines += ["ALTER TABLE {new} {dropped}", "ALTER TABLE {new} {added}"]
    if table.require_partition_filter:
        lines.append("ALTER TABLE {old} SET OPTIONS (require_partition_filter = FALSE)")
    lines += [
        "INSERT INTO {new} SELECT *{values} FROM {old}",
        "ALTER TABLE {old} RENAME TO {backup}",
        "ALTER TABLE {new} RENAME TO {name}",
    ]
    statements = [BIGQUERY.compose(f"  {line};", **pieces).text for line in lines]
    return "\n".join([*statements, _LEFT])


def _partitions(table: bigquery.Table, by: str | None, clusters_by: str) -> Fragment:
    """The clauses that replace what is inherited; none where the partitions are right."""
    if by is None:
        return Fragment("")
    types = {str(field.name).lower(): str(field.field_type) for field in table.schema}
    clusters = list(table.clustering_fields or ())
    if not clusters and clusters_by.lower() in types:
        clusters = [clusters_by]
    listed = [_of(one, "{name}") for one in clusters]
    return BIGQUERY.compose(
        " PARTITION BY {trunc}({period}, MONTH){clusters}",
        trunc=Fragment(_TRUNC.get(str(types.get(by.lower())), "TIMESTAMP_TRUNC")),
        period=by,
        clusters=BIGQUERY.compose(" CLUSTER BY {all}", all=listed) if listed else Fragment(""),
    )


def _values(changed: Mapping[str, str]) -> Fragment:
    """The columns in the order of the new table: those that change come last."""
    if not changed:
        return Fragment("")
    return BIGQUERY.compose(
        " EXCEPT ({names}), {casts}",
        names=[_of(one, "{name}") for one in changed],
        casts=[_of(one, "CAST({name} AS {kind})", kind) for one, kind in changed.items()],
    )


def _of(name: str, template: str, kind: str = "") -> Fragment:
    return BIGQUERY.compose(template, name=name, kind=Fragment(kind))
