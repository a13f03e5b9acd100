"""Copy jobs.

https://cloud.google.com/bigquery/docs/managing-partitioned-tables#copy_partitions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bqemulator.catalog.etag import generate_etag

from emulators.bigquery.errors import JobError
from emulators.bigquery.partitions import is_expired
from emulators.bigquery.protection import fault_of_reading, require_all_rows
from emulators.bigquery.schema import columns_sql, fields_of
from emulators.bigquery.tables import TableRef, in_partition, layout, partition_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bqemulator.catalog.models import TableMeta

    from emulators.bigquery.jobs import JobRun, Statistics


def run_copy(run: JobRun, config: dict[str, Any]) -> Statistics:
    """Copy tables or partitions; the destination changes in one step."""
    listed = config.get("sourceTables") or [config["sourceTable"]]
    sources = [(ref, _table(run, ref)) for ref in map(TableRef.from_rest, listed)]
    target = TableRef.from_rest(config["destinationTable"])
    run.fault("start")
    existing = run.catalog.get_table(*target.key)
    if existing is None:
        _check_creation(run, target, config)
    for ref, table in sources:
        _check_source(ref, table, target, existing)
        _check_protection(run, ref)
    # Other than a load, a copy refuses by default to write to a table that holds rows.
    write = config.get("writeDisposition") or "WRITE_EMPTY"
    if write == "WRITE_EMPTY" and existing is not None:
        filled = f"SELECT 1 FROM {target.sql} WHERE {_inside(target, existing)}"
        if run.holds(filled):
            raise JobError("duplicate", f"Already Exists: Table {target}")
    run.fault("commit")
    copied = _commit(run, sources, target, existing, replace=write == "WRITE_TRUNCATE")
    _protect(run, sources, target, appends=write == "WRITE_APPEND" and existing is not None)
    return {"copiedRows": str(copied)}


def _table(run: JobRun, ref: TableRef) -> TableMeta:
    table = run.catalog.get_table(*ref.key)
    if table is None:
        raise JobError("notFound", f"Not found: Table {ref}")
    return table


def _check_creation(run: JobRun, target: TableRef, config: dict[str, Any]) -> None:
    project, dataset, _ = target.key
    if run.catalog.get_dataset(project, dataset) is None:
        raise JobError("notFound", f"Not found: Dataset {project}:{dataset}")
    if config.get("createDisposition") == "CREATE_NEVER":
        raise JobError("notFound", f"Not found: Table {target}")
    if target.partition:
        raise JobError("notImplemented", "Creating a table by copying a partition is not emulated")


def _check_source(
    ref: TableRef, table: TableMeta, target: TableRef, existing: TableMeta | None
) -> None:
    """Source and destination must be alike, and a partition goes to the same partition."""
    if existing is None:
        return
    if existing.time_partitioning and table.time_partitioning is None:
        raise JobError(
            "invalid",
            "Copying a non-partitioned table into a column-partitioned table is not supported",
        )
    if layout(table) != layout(existing):
        raise JobError(
            "invalid",
            "Partitioning or clustering specification of the source and destination tables must "
            "match",
        )
    if _shape(table) != _shape(existing):
        raise JobError("invalid", f"Provided Schema does not match Table {target}")
    if target.partition and ref.partition != target.partition:
        raise JobError(
            "invalid", "Source and destination partition of a column-partitioned copy must match"
        )


def _check_protection(run: JobRun, source: TableRef) -> None:
    """A copy needs the TRUE filter of its source, and reads all of its columns.

    https://cloud.google.com/bigquery/docs/using-row-level-security-with-features#copy_jobs
    https://cloud.google.com/bigquery/docs/column-level-security-writes#copying_data
    """
    require_all_rows(run.access, run.catalog, source)
    fault = fault_of_reading(run.access, run.catalog.tags.get(source.key, {}), "*")
    if fault is not None:
        raise JobError("accessDenied", fault)


def _protect(
    run: JobRun,
    sources: Sequence[tuple[TableRef, TableMeta]],
    target: TableRef,
    *,
    appends: bool,
) -> None:
    """Give the destination the policies and tags of the first source, in the place of its own.

    "If you copy a source table without row-level access policies onto a destination table that does
    have row-level access policies, then [they] are removed from the destination table, unless [...]
    WRITE_APPEND". Nothing says that they are spared where a partition is written.
    """
    if appends:
        return
    source = sources[0][0]
    run.catalog.drop_policies(target.key)
    run.catalog.tags[target.key] = dict(run.catalog.tags.get(source.key, {}))
    project, dataset, table = target.key
    for policy in run.catalog.list_row_access_policies(*source.key):
        named = {"project_id": project, "dataset_id": dataset, "table_id": table}
        run.catalog.create_row_access_policy(policy.model_copy(update=named))


def _shape(table: TableMeta) -> list[tuple[str, str]]:
    return [(field["name"].lower(), field["type"]) for field in fields_of(table)]


def _inside(ref: TableRef, table: TableMeta) -> str:
    return in_partition(ref, table.time_partitioning)


def _commit(
    run: JobRun,
    sources: Sequence[tuple[TableRef, TableMeta]],
    target: TableRef,
    existing: TableMeta | None,
    *,
    replace: bool,
) -> int:
    """Write the rows, record the table, and give the number of rows copied."""
    rows = " UNION ALL BY NAME ".join(
        f"SELECT * FROM {ref.sql} WHERE {_inside(ref, table)}" for ref, table in sources
    )
    after = existing or sources[0][1]
    copied = run.count(f"({rows})")
    written = _partitions(run, f"({rows})", after)
    with run.transaction():
        if existing is None:
            run.connection.execute(f"CREATE TABLE {target.sql} ({columns_sql(fields_of(after))})")
        elif replace:
            run.connection.execute(f"DELETE FROM {target.sql} WHERE {_inside(target, existing)}")
        run.connection.execute(f"INSERT INTO {target.sql} BY NAME {rows}")
        expired = is_expired(after.time_partitioning, run.now())
        run.connection.execute(f"DELETE FROM {target.sql} WHERE {expired}")
    named = [target.partition] if target.partition else []
    if existing is not None:  # whoever sees a table that changed sees its partitions, too
        run.catalog.stamp(target.key, written + named, run.now())
    _record(run, target, after, created=existing is None)
    if existing is None:
        run.catalog.stamp(target.key, written + named, run.now())
    return copied


def _partitions(run: JobRun, rows: str, table: TableMeta) -> list[str]:
    if table.time_partitioning is None:
        return []
    found = run.connection.execute(
        f"SELECT DISTINCT {partition_id(table.time_partitioning)} FROM {rows}"
    )
    return [str(row[0]) for row in found.fetchall()]


def _record(run: JobRun, target: TableRef, table: TableMeta, *, created: bool) -> None:
    project, dataset, name = target.key
    now = run.now()
    changed: dict[str, Any] = {
        "num_rows": run.count(target.sql),
        "last_modified_time": now,
        "etag": generate_etag(project, dataset, name, str(now)),
    }
    if not created:
        run.catalog.update_table(table.model_copy(update=changed))
        return
    named = {"project_id": project, "dataset_id": dataset, "table_id": name, "creation_time": now}
    run.catalog.create_table(table.model_copy(update={**changed, **named}))
