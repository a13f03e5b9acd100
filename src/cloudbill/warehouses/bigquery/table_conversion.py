"""The statements by which a person makes a table that loads take out of one that they refuse; pure.

Where columns change their type, the new table is made by its columns: no statement changes a type
so far, and users of the service say that the name of a dropped column stays reserved for as long
as time travel reaches back.

Sources: BigQuery, "CREATE TABLE LIKE statement" (what the new table inherits, and that its clauses
replace that), "CREATE TABLE statement" (column list), "ALTER TABLE SET OPTIONS statement" (NULL
clears an expiration).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudbill.sql import BIGQUERY, Fragment, bigquery_text

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.sql import Piece

__all__ = ["conversion_of"]

# "CREATE TABLE statement", partition expressions: each type has its own function.
_TRUNC: Final[Mapping[str, str]] = {
    "DATE": "DATE_TRUNC",
    "DATETIME": "DATETIME_TRUNC",
    "TIMESTAMP": "TIMESTAMP_TRUNC",
}
_LEFT: Final = (
    "The new table has the descriptions, modes, labels and expirations of the old one. Row access "
    "policies, and rights that were given on the table itself, have to be made anew, and policy "
    "tags compared, before the last two statements."
)
_LEFT_OF_COLUMNS: Final = (
    "The new table has the columns of the old one with their descriptions and modes, its labels, "
    "description and expirations. Its key, defaults and collations, other options, policy tags and "
    "data policies, row access policies, and rights that were given on the table itself, have to "
    "be set anew before the last two statements."
)
# BigQuery REST, TableFieldSchema.type, and "Data types" of GoogleSQL.
_SQL_TYPES: Final[Mapping[str, str]] = {
    "BOOLEAN": "BOOL",
    "FLOAT": "FLOAT64",
    "INTEGER": "INT64",
    "RECORD": "STRUCT",
}
_MS_OF_DAY: Final = 86_400_000
# A double as it is has noise behind its 17th digit, its text has none; an empty text is no amount.
_TEXT: Final = "ROUND(CAST(CAST({name} AS STRING) AS {kind}), 18)"
_AMOUNTS: Final[Mapping[str, str]] = {
    "FLOAT": _TEXT,
    "FLOAT64": _TEXT,
    "STRING": "CAST(NULLIF(TRIM({name}), '') AS {kind})",
}


def conversion_of(
    table: bigquery.Table,
    *,
    partitions_by: str | None = None,
    clusters_by: str = "",
    changed: Mapping[str, str] | None = None,
) -> str:
    """What to do: the statements, an indented line each, and what they do not keep.

    Where no column tells the month of a row by its type, there is no such statement: what a text
    says of a time depends on how it is written, and on the zone of the project.

    `partitions_by` is the column whose months become partitions, or None where the partitions of
    the table are right; the clusters of a table that has some stay. `changed` has the new types of
    columns, in BigQuery's words.
    """
    if partitions_by is not None and _kind(table, partitions_by) not in _TRUNC:
        kind = _kind(table, partitions_by)
        what = f"'{partitions_by}' is {kind}" if kind else f"it has no column '{partitions_by}'"
        return (
            f"No statement can make such a table of it, for {what} there. Set another "
            "'table_name', and run again: the next load fills it with every month whose files are "
            "still there"
        )
    project, dataset, name = map(str, (table.project, table.dataset_id, table.table_id))
    changed = changed or {}
    clusters = _clusters(table, partitions_by, clusters_by)
    layout = _layout(table, partitions_by, clusters, is_by_columns=bool(changed))
    pieces: dict[str, Piece] = {
        "old": (project, dataset, name),
        "new": (project, dataset, f"{name}_converted"),
        "layout": layout,
        "values": _replaced(table, changed),
        "backup": f"{name}_before",
        "name": name,
    }
    if changed:
        pieces["columns"] = [_column(one, changed) for one in table.schema]
        pieces["options"] = _options(table)
        lines = ["CREATE TABLE {new} ({columns}){layout}"]
        lines += ["ALTER TABLE {new} SET OPTIONS ({options})"]
    else:
        lines = ["CREATE TABLE {new} LIKE {old}{layout}"]
    if table.require_partition_filter:
        lines.append("ALTER TABLE {old} SET OPTIONS (require_partition_filter = FALSE)")
    lines += [
        "INSERT INTO {new} SELECT *{values} FROM {old}",
        "ALTER TABLE {old} RENAME TO {backup}",
        "ALTER TABLE {new} RENAME TO {name}",
    ]
    statements = [BIGQUERY.compose(f"  {line};", **pieces).text for line in lines]
    left = _LEFT_OF_COLUMNS if changed else _LEFT
    return "\n".join(["Convert the table, and run again:", *statements, left])


def _kind(table: bigquery.Table, column: str) -> str:
    """The type of a column, in BigQuery's words; none where the table does not have it."""
    types = {str(field.name).lower(): str(field.field_type) for field in table.schema}
    return types.get(column.lower(), "")


def _clusters(table: bigquery.Table, by: str | None, clusters_by: str) -> list[str]:
    """The columns that the new table is clustered by."""
    clusters = [str(one) for one in table.clustering_fields or ()]
    names = {str(field.name).lower() for field in table.schema}
    if by is not None and not clusters and clusters_by.lower() in names:
        return [clusters_by]
    return clusters


def _layout(
    table: bigquery.Table, by: str | None, clusters: Sequence[str], *, is_by_columns: bool
) -> Fragment:
    """The clauses that replace what is inherited; none where the partitions are right."""
    unit = "MONTH"
    if by is None and (not is_by_columns or table.time_partitioning is None):
        return Fragment("")
    if by is None:
        by, unit = str(table.time_partitioning.field), str(table.time_partitioning.type_)
    kind = _kind(table, by)
    listed = [_of(one, "{name}") for one in clusters]
    return BIGQUERY.compose(
        " PARTITION BY {expression}{clusters}",
        # "CREATE TABLE statement": a column of days is itself the expression of its days.
        expression=_of(by, "{name}")
        if (kind, unit) == ("DATE", "DAY")
        else _of(by, f"{_TRUNC[kind]}({{name}}, {unit})"),
        clusters=BIGQUERY.compose(" CLUSTER BY {all}", all=listed) if listed else Fragment(""),
    )


def _replaced(table: bigquery.Table, changed: Mapping[str, str]) -> Fragment:
    """What of the columns is read otherwise."""
    if not changed:
        return Fragment("")
    casts = []
    for one, kind in changed.items():
        value = "CAST({name} AS {kind})"
        if kind == "BIGNUMERIC":
            value = _AMOUNTS.get(_kind(table, one), value)
        casts.append(_of(one, f"{value} AS {{name}}", kind))
    return BIGQUERY.compose(" REPLACE ({casts})", casts=casts)


def _column(field: bigquery.SchemaField, changed: Mapping[str, str]) -> Fragment:
    """A column of a list of columns, with its description and its mode."""
    kind = changed.get(str(field.name)) or _type(field)
    is_required = " NOT NULL" if field.mode == "REQUIRED" else ""
    described = ""
    if field.description:
        described = f" OPTIONS (description = {bigquery_text(str(field.description))})"
    return _of(str(field.name), "{name} {kind}", f"{kind}{is_required}{described}")


def _type(field: bigquery.SchemaField) -> str:
    """The type of a column in SQL."""
    name = str(field.field_type)
    kind = _SQL_TYPES.get(name, name)
    if kind == "STRUCT":
        inside = ", ".join(_column(one, {}).text for one in field.fields)
        kind = f"STRUCT<{inside}>"
    elif kind == "RANGE":
        kind = f"RANGE<{field.range_element_type.element_type}>"
    sizes = [str(one) for one in (field.max_length, field.precision, field.scale) if one]
    if sizes:
        kind += f"({', '.join(sizes)})"
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


def _options(table: bigquery.Table) -> list[Fragment]:
    """What the table is told before it has rows, so that no default of the dataset deletes them."""
    kept_ms = table.time_partitioning.expiration_ms if table.time_partitioning else None
    days = f"{kept_ms / _MS_OF_DAY:g}" if kept_ms else "NULL"
    end = f"TIMESTAMP '{table.expires:%Y-%m-%d %H:%M:%S%z}'" if table.expires else "NULL"
    options = [f"partition_expiration_days = {days}", f"expiration_timestamp = {end}"]
    if table.require_partition_filter:
        options.append("require_partition_filter = TRUE")
    if table.description:
        options.append(f"description = {bigquery_text(str(table.description))}")
    if table.labels:
        pairs = (
            f"({bigquery_text(key)}, {bigquery_text(value)})"
            for key, value in sorted(table.labels.items())
        )
        options.append(f"labels = [{', '.join(pairs)}]")
    return [Fragment(one) for one in options]


def _of(name: str, template: str, kind: str = "") -> Fragment:
    return BIGQUERY.compose(template, name=name, kind=Fragment(kind))
