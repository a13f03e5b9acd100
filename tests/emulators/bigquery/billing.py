"""What a query would bill, and the limit of it.

https://cloud.google.com/bigquery/docs/best-practices-costs (limit by maximum bytes billed)
https://cloud.google.com/bigquery/pricing#on_demand_pricing (the least amount of a table)
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from emulators.bigquery.errors import JobError
from emulators.bigquery.schema import fields_of
from emulators.bigquery.tables import TableRef, quoted

if TYPE_CHECKING:
    from bqemulator.catalog.models import TableMeta

    from emulators.bigquery.jobs import JobRunner

MEGABYTE = 1024 * 1024
_LEAST = 10 * MEGABYTE
# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#data_type_sizes
_SIZES = {"BIGNUMERIC": 32, "NUMERIC": 16, "BOOLEAN": 1, "BOOL": 1, "STRING": 12}
_OTHER_SIZE = 8
_FREE = re.compile(
    r"\s*(CREATE|ALTER|DROP|INSERT\s+INTO\s+\S+\s*(\([^)]*\)\s*)?VALUES)\b", re.IGNORECASE
)


_READS = re.compile(
    r"\s*(WITH|SELECT|DELETE|UPDATE|MERGE)\b|.*\bSELECT\b", re.IGNORECASE | re.DOTALL
)
_TARGET = re.compile(r"\s*INSERT\s+INTO\s+\S+\s*(\([^)]*\)\s*)?", re.IGNORECASE)


def bytes_billed(runner: JobRunner, sql: str, parameters: list[dict[str, Any]]) -> int:
    """The bytes of the columns that a statement names, in the partitions that it reads.

    Each table is rounded up to a megabyte, and is 10 of them at least. All of this is an upper
    bound, as an estimate of BigQuery is.
    """
    if _FREE.match(sql):
        return 0
    billed = _LEAST if "INFORMATION_SCHEMA" in sql else 0
    sql = _TARGET.sub("", sql, count=1) if _TARGET.match(sql) else sql  # is written, not read
    for table in runner.catalog.all_tables():
        if re.search(rf"\b{re.escape(table.table_id)}\b", sql) and _READS.match(sql):
            size = _width(table, sql) * _rows(runner, table, sql, parameters)
            billed += max(_LEAST, -(-size // MEGABYTE) * MEGABYTE)
    return billed


def require_within(limit: str | int | None, billed: int) -> None:
    """Refuse a query that would bill more than its `maximumBytesBilled`.

    Reason and text are those that users of the service recorded, such as
    https://github.com/exmergo/dex/issues/320 ; it "fails without incurring a charge".
    """
    if limit is not None and billed > int(limit):
        raise JobError(
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required.",
        )


def _width(table: TableMeta, sql: str) -> int:
    return sum(
        _SIZES.get(field["type"], _OTHER_SIZE)
        for field in fields_of(table)
        if re.search(rf"\b{re.escape(field['name'])}\b", sql)
    )


def _rows(runner: JobRunner, table: TableMeta, sql: str, parameters: list[dict[str, Any]]) -> int:
    """The rows of a table between the first and the last time that its partitions are asked of."""
    by = table.time_partitioning
    ref = TableRef(project=table.project_id, dataset=table.dataset_id, table=table.table_id)
    between = "true"
    if by is not None and by.field:
        times = _times(sql, by.field, parameters)
        column = f"CAST({quoted(by.field)} AS TIMESTAMP)"
        between = " AND ".join(
            f"{column} {sign} TIMESTAMP '{at:%Y-%m-%d %H:%M:%S}'"
            for sign, at in ((">=", times.get("from")), ("<", times.get("to")))
            if at is not None
        )
    (found,) = runner.context.engine.execute(
        f"SELECT count(*) FROM {ref.sql} WHERE {between or 'true'}"
    ).fetchall()
    return int(found[0]) * (runner.row_weight if by is not None else 1)


def _times(sql: str, column: str, parameters: list[dict[str, Any]]) -> dict[str, datetime]:
    """The least and the greatest constant that a column is compared with."""
    given = {one.get("name"): one["parameterValue"].get("value") for one in parameters}
    found: dict[str, list[datetime]] = {"from": [], "to": []}
    for node in sqlglot.parse_one(sql, dialect="bigquery").find_all(exp.GTE, exp.LT):
        if node.find_ancestor(exp.Not) is not None:
            continue
        if isinstance(node.left, exp.Column) and node.left.name.lower() == column.lower():
            text = _constant(node.right, given)
            if text is not None:
                at = datetime.fromisoformat(text)
                at = at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
                found["from" if isinstance(node, exp.GTE) else "to"].append(at)
    bounds = {"from": min(found["from"], default=None), "to": max(found["to"], default=None)}
    return {name: at for name, at in bounds.items() if at is not None}


def _constant(node: exp.Expr, given: dict[Any, Any]) -> str | None:
    literal = node.find(exp.Literal)
    if literal is not None:
        return str(literal.this)
    parameter = node.find(exp.Parameter)
    return None if parameter is None else given.get(parameter.name)
