"""What protects rows and columns of a table, and what takes the protection away.

- Row access policies: https://cloud.google.com/bigquery/docs/row-level-security-intro (implicit
  deletion) and https://cloud.google.com/bigquery/docs/using-row-level-security-with-features (the
  TRUE filter, copy jobs, DML). Which rows a query sees is the work of bqemulator.
- Policy tags: https://cloud.google.com/bigquery/docs/column-level-security and
  https://cloud.google.com/bigquery/docs/column-level-security-writes .
- Data policies of the column itself: https://cloud.google.com/bigquery/docs/reference/rest/v2/tables
  (TableFieldSchema.dataPolicies), and the permissions of
  https://cloud.google.com/iam/docs/roles-permissions/bigquerydatapolicy . That writing treats them
  as it treats tags is assumed, and so are the texts of refusals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlglot
from bqemulator.row_access.matcher import GranteeMatcher
from sqlglot import exp

from emulators.bigquery.access import FINE_GRAINED, RAW_DATA, refusal
from emulators.bigquery.errors import JobError
from emulators.bigquery.tables import TableRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from emulators.bigquery.access import Access
    from emulators.bigquery.catalog import Catalog

Tags = dict[str, dict[str, Any]]
"""The tags and data policies of columns, as a schema has them, by names in lower case."""

# What has to be read, and what has to be set, is a right of its own.
_RIGHTS = {
    "policyTags": (FINE_GRAINED, "bigquery.tables.setCategory", 'policy tag "finance : high"'),
    "dataPolicies": (RAW_DATA, "bigquery.dataPolicies.attach", "a data policy"),
}

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def tags_of(fields: Iterable[dict[str, Any]]) -> Tags:
    """The policy tags and data policies that a schema states; one that states none has none.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#TableFieldSchema (policyTags)
    """
    found: Tags = {}
    for field in fields:
        stated: dict[str, Any] = {}
        if (field.get("policyTags") or {}).get("names"):
            stated["policyTags"] = {"names": list(field["policyTags"]["names"])}
        if field.get("dataPolicies"):
            stated["dataPolicies"] = list(field["dataPolicies"])
        if stated:
            found[field["name"].lower()] = stated
    return found


def rights_to_set(before: Tags, after: Tags) -> list[str]:
    """The permissions that it takes to make the second of the first."""
    return [
        to_set
        for kind, (_, to_set, _) in _RIGHTS.items()
        if _of_kind(before, kind) != _of_kind(after, kind)
    ]


def _of_kind(tags: Tags, kind: str) -> dict[str, Any]:
    return {column: stated[kind] for column, stated in tags.items() if kind in stated}


def fault_of_reading(access: Access, tags: Tags, column: str) -> str | None:
    """What is said to an account that reads a column, or all of them by `*`; None if it may."""
    for kind, (to_read, _, what) in _RIGHTS.items():
        columns = _of_kind(tags, kind)
        if columns and column in {"*", *columns} and not access.may(to_read):
            return (
                "Access Denied: BigQuery BigQuery: User has neither fine-grained reader nor "
                f"masked get permission to get data protected by {what} on column {column}."
            )
    return None


def with_tags(fields: Iterable[dict[str, Any]], tags: Tags) -> list[dict[str, Any]]:
    """The fields of a schema, each with its policy tags and data policies."""
    return [{**field, **tags.get(field["name"].lower(), {})} for field in fields]


def sees_all(access: Access, catalog: Catalog, table: TableRef) -> bool:
    """Whether the account has full access to the rows: no policy, or one that filters nothing."""
    policies = catalog.list_row_access_policies(*table.key)
    granted = GranteeMatcher(access.identity()).applicable_policies(policies)
    return not policies or any(one.filter_predicate.strip().upper() == "TRUE" for one in granted)


def require_all_rows(access: Access, catalog: Catalog, table: TableRef) -> None:
    """Refuse DML and copies of a table of which the account does not have the TRUE filter.

    The text is that of github.com/cal-itp/data-infra/issues/5142.
    """
    if not sees_all(access, catalog, table):
        name = f"{table}".partition("$")[0]
        raise JobError(
            "accessDenied",
            f"Access Denied: Table {name}: User does not have full access for table {name} due to "
            "row access policies.",
        )


def check_statement(access: Access, catalog: Catalog, project: str, sql: str) -> None:
    """Refuse a statement that reads or writes what the account may not.

    Raises:
        JobError: If it may not.
    """
    is_open = not access.denied and not catalog.list_all_row_access_policies()
    if is_open:
        return
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError:  # whoever runs the statement says so
        return
    _check_creation(access, project, tree)
    target = _target(tree)
    for node in tree.find_all(exp.Table):
        ref = TableRef.of(node.catalog or project, node.db, node.name)
        if catalog.get_table(*ref.key) is None:
            continue
        if node is target:
            _check_target(access, catalog, ref)
            scanned = () if isinstance(tree, exp.Insert) else _conditions(tree)
        else:
            if not access.may("bigquery.tables.getData"):
                raise JobError(
                    "accessDenied",
                    f"Access Denied: Table {ref}: User does not have permission to query table "
                    f"{ref}, or perhaps it does not exist.",
                )
            scanned = (tree,)
        _check_columns(access, catalog.tags.get(ref.key, {}), scanned)


def _check_creation(access: Access, project: str, tree: exp.Expr) -> None:
    """Refuse to make a table or a dataset, also in a dry run.

    Of tables that is recorded (github.com/mozilla/bigquery-etl, pull request 1805), of datasets it
    is assumed.
    """
    if not isinstance(tree, exp.Create) or tree.kind not in {"SCHEMA", "TABLE"}:
        return
    made = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    names = {"project": made.catalog or project}
    permission = "bigquery.datasets.create"
    if tree.kind == "TABLE":
        names["dataset"] = made.db
        permission = "bigquery.tables.create"
    if not access.may(permission):
        raise JobError("accessDenied", refusal(permission, names))


def _target(tree: exp.Expr) -> exp.Expr | None:
    if not isinstance(tree, _WRITES):
        return None
    named: exp.Expr = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    return named


def _check_target(access: Access, catalog: Catalog, ref: TableRef) -> None:
    if not access.may("bigquery.tables.updateData"):
        raise JobError(
            "accessDenied",
            f"Access Denied: Table {ref}: Permission bigquery.tables.updateData denied on table "
            f"{ref} (or it may not exist).",
        )
    # What updates a table needs "TRUE filter access for the table", and nothing excepts an INSERT.
    require_all_rows(access, catalog, ref)


def _conditions(tree: exp.Expr) -> Sequence[exp.Expr]:
    """What a DELETE or an UPDATE reads of its target: the columns of its condition alone."""
    where = tree.args.get("where")
    return () if where is None else (where,)


def _check_columns(access: Access, tags: Tags, scanned: Iterable[exp.Expr]) -> None:
    """Refuse columns whose tags the account may not read.

    An INSERT reads nothing of its target, so nothing is checked of it.
    """
    if not tags or not access.denied:
        return
    for tree in scanned:
        for name in _named(tree):
            fault = fault_of_reading(access, tags, name)
            if fault is not None:
                raise JobError("accessDenied", fault)


def _named(tree: exp.Expr) -> Iterator[str]:
    for node in tree.find_all(exp.Column, exp.Star):
        is_count = isinstance(node.parent, exp.Count)
        if not is_count:
            yield "*" if isinstance(node, exp.Star) else node.name.lower()


def protects_rows(catalog: Catalog, project: str, sql: str) -> bool:
    """Whether a statement names a table with row access policies."""
    if not catalog.list_all_row_access_policies():
        return False
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError:
        return False
    return any(
        catalog.list_row_access_policies(node.catalog or project, node.db, node.name)
        for node in tree.find_all(exp.Table)
    )
