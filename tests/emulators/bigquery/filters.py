"""Tables that demand a filter of partitions from each query.

https://cloud.google.com/bigquery/docs/managing-partitioned-tables#require-filter ; the text of the
refusal is that of reports. Any condition on the column counts here, so a condition that the service
cannot use for partition elimination passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from emulators.bigquery.errors import JobError
from emulators.bigquery.tables import TableRef

if TYPE_CHECKING:
    from emulators.bigquery.catalog import Catalog

_STATED = "requirePartitionFilter"


def set_filter(catalog: Catalog, ref: TableRef, body: dict[str, Any]) -> None:
    """Demand a filter from now on, or no longer, where the body of a request says so."""
    by = body.get("timePartitioning") or {}
    if body.get(_STATED, by.get(_STATED)):
        catalog.filtered[ref.key] = True
    elif _STATED in body:
        catalog.filtered.pop(ref.key, None)


def with_filter(catalog: Catalog, ref: TableRef, resource: dict[str, Any]) -> dict[str, Any]:
    """The resource of a table that says whether a filter is demanded.

    The service repeats it within `timePartitioning`, and takes it there, though it is deprecated:
    github.com/googleapis/google-cloud-go, bigquery/integration_test.go (its tests run on it).
    """
    if ref.key not in catalog.filtered:
        return resource
    by = {**resource.get("timePartitioning", {}), _STATED: True}
    return {**resource, _STATED: True, "timePartitioning": by}


def require_filters(catalog: Catalog, project: str, sql: str) -> None:
    """Refuse a query of such a table without a condition on its partitions.

    Raises:
        JobError: If there is none.
    """
    if not catalog.filtered:
        return
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError:  # whoever runs the statement says so
        return
    for node in tree.find_all(exp.Table):
        ref = TableRef.of(node.catalog or project, node.db, node.name)
        table = catalog.get_table(*ref.key) if ref.key in catalog.filtered else None
        by = None if table is None else table.time_partitioning
        is_written = isinstance(tree, exp.Insert) and node in {tree.this, tree.this.this}
        if by is None or by.field is None or is_written:
            continue
        if by.field.lower() in _conditions_above(node):
            continue
        raise JobError(
            "invalidQuery",
            f"Cannot query over table '{'.'.join(ref.key)}' without a filter over column(s) "
            f"'{by.field}' that can be used for partition elimination",
        )


def _conditions_above(node: exp.Expr) -> set[str]:
    """The columns in the condition of the statement that names a table, in lower case."""
    above = node.find_ancestor(exp.Select, exp.Delete, exp.Update)
    where = above.args.get("where") if above is not None else None
    return set() if where is None else {one.name.lower() for one in where.find_all(exp.Column)}
