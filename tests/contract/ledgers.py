"""The tables of a ledger, read and changed past the code under test, on every warehouse."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.versioned_state import compress_state, decompress_state

from cloudbill.sql import Fragment
from contract.places import DATASET, PROJECT, DiskAndDuckDB

if TYPE_CHECKING:
    from contract.places import Case

STATES, LOADS, VERSIONS = "_dlt_pipeline_state", "_dlt_loads", "_dlt_version"


def text(value: str) -> Fragment:
    """A text as SQL; what tests put there has no quotes."""
    assert not {"'", "\\"} & set(value)
    return Fragment(f"'{value}'")


def tracking(case: Case) -> str:
    """The tracking table of a table whose name dlt leaves as it is."""
    return f"{case.table}_load_tracking"


def load_ids(case: Case) -> list[str]:
    """The ids of the load packages that brought states, in the order of dlt's versions."""
    rows = case.place.query(
        "SELECT _dlt_load_id FROM {table} ORDER BY version, _dlt_load_id", table=STATES
    )
    return [str(row[0]) for row in rows]


def rename_load(case: Case, old: str, new: str) -> None:
    """Gives a load package the id that another clock would have given it."""
    for table, column in (
        (STATES, "_dlt_load_id"),
        (LOADS, "load_id"),
        (tracking(case), "_dlt_load_id"),
    ):
        case.place.query(
            "UPDATE {table} SET {column} = {new} WHERE {column} = {old}",
            table=table,
            column=column,
            new=text(new),
            old=text(old),
        )


def hide_load(case: Case, load_id: str) -> None:
    """Takes a load package out of sight, as if its writer had not finished yet."""
    _change_names(case, load_id, "CONCAT('hidden ', {column})")


def show_load(case: Case, load_id: str) -> None:
    """Puts a hidden load package back."""
    _change_names(case, load_id, "REPLACE({column}, 'hidden ', '')")


def _change_names(case: Case, load_id: str, changed: str) -> None:
    """Changes what the rows of a load package are found by."""
    for table, column in ((STATES, "pipeline_name"), (tracking(case), "billing_month")):
        case.place.query(
            "UPDATE {table} SET {column} = {changed} WHERE _dlt_load_id = {load_id}",
            table=table,
            column=column,
            changed=Fragment(changed.format(column=column)),
            load_id=text(load_id),
        )


def ledger_of(case: Case, load_id: str) -> dict[str, Any]:
    """The ledger in the state that a load package brought."""
    return ledger_in(_state(case, load_id), case)


def ledger_in(state: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """The part of a state of dlt that is the ledger's."""
    found: dict[str, Any] = state["sources"][f"{case.writer.section}_source"]["resources"][
        tracking(case)
    ]
    return found


def change_ledger(case: Case, load_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes the ledger in the state that a load package brought."""
    state = _state(case, load_id)
    change(ledger_in(state, case))
    put_state(case, compress_state(state), load_id)  # type: ignore[arg-type]


def put_state(case: Case, encoded: str, load_id: str | None = None) -> None:
    """Writes over the state of a load package, or all states."""
    where = Fragment("TRUE")
    if load_id is not None:
        where = Fragment(f"_dlt_load_id = '{load_id}'")
    case.place.query(
        "UPDATE {table} SET state = {state} WHERE {where}",
        table=STATES,
        state=text(encoded),
        where=where,
    )


def number_state(case: Case, load_id: str, version: int) -> None:
    """Gives the state of a load package another version of dlt's."""
    case.place.query(
        "UPDATE {table} SET version = {version} WHERE _dlt_load_id = {load_id}",
        table=STATES,
        version=Fragment(str(version)),
        load_id=text(load_id),
    )


def _state(case: Case, load_id: str) -> dict[str, Any]:
    ((encoded,),) = case.place.query(
        "SELECT state FROM {table} WHERE _dlt_load_id = {load_id}",
        table=STATES,
        load_id=text(load_id),
    )
    return dict(decompress_state(encoded))


def make_old(case: Case) -> None:
    """Makes the ledger one that was written before records were counted."""

    def strip(ledger: dict[str, Any]) -> None:
        ledger["cloudbill"]["version"] = 1
        ledger["cloudbill"].pop("merged", None)
        for entry in ledger["cloudbill"]["periods"].values():
            entry.pop("sequence", None)

    for load_id in load_ids(case):
        change_ledger(case, load_id, strip)
    case.place.query("UPDATE {table} SET sequence = NULL WHERE TRUE", table=tracking(case))


def drop_table(case: Case, table: str) -> None:
    """Drops one of the tables."""
    case.place.query("DROP TABLE {table}", table=table)


def drop_column(case: Case, table: str, column: str) -> None:
    """Drops a column, by way of another table, for the emulated BigQuery keeps it in its schema."""
    if isinstance(case.place, DiskAndDuckDB):
        case.place.query("ALTER TABLE {table} DROP COLUMN {column}", table=table, column=column)
        return
    copy = f"{table}_copy"
    kept = [name for name in case.place.columns(table) if name != column]
    columns = Fragment(", ".join(f"`{name}`" for name in kept))
    for old, new in ((table, copy), (copy, table)):
        case.place.query(
            "CREATE TABLE {table_new} AS SELECT {columns} FROM {table_old}",
            table_new=new,
            table_old=old,
            columns=columns,
        )
        case.place.query("DROP TABLE {table}", table=old)


def restored_by_dlt(case: Case) -> dict[str, Any]:
    """The ledger as dlt itself restores it on a fresh machine."""
    settings = case.settings
    if isinstance(case.place, DiskAndDuckDB):
        destination: Any = dlt.destinations.duckdb(str(case.place.database))
    else:
        from emulators.dlt_destination import bigquery_destination

        destination = bigquery_destination(PROJECT)
    pipeline = dlt.pipeline(
        settings.pipeline_name,
        pipelines_dir=tempfile.mkdtemp(dir=case.scratch),
        destination=destination,
        dataset_name=DATASET,
    )
    try:
        pipeline.sync_destination()
        return ledger_in(pipeline.state, case)
    finally:
        pipeline.deactivate()
