"""Writes one load package of dlt: the next state of a ledger, and rows of its tracking table.

dlt's own `run` first restores the state with the greatest load id, and assumes that its tables are
as it left them. Here the state is given, and tables and columns that are gone are made again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dlt
import tenacity
from dlt.common.exceptions import DltException
from dlt.common.schema import Schema
from dlt.common.schema.exceptions import SchemaException
from dlt.common.storages.load_package import create_load_id
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.helpers import retry_schema_update
from dlt.pipeline.pipeline import Pipeline

from cloudbill.disk.room import full_disk_of
from cloudbill.disk.spool import ANOTHER_FOLDER, spool_folder
from cloudbill.errors import LedgerError
from cloudbill.ledger.dlt_settings import without_settings
from cloudbill.ledger.load_ids import next_load_id

if TYPE_CHECKING:
    from dlt.common.schema.typing import TTableSchema
    from dlt.extract import DltSource
    from dlt.extract.extract import Extract

    from cloudbill.warehouses import Warehouse

__all__ = ["Package", "write_package"]

_UNREADABLE: Final = (KeyError, TypeError, ValueError, zlib.error, SchemaException)
"""The errors of reading a stored schema that somebody damaged."""

_WHILE_OTHERS_MAKE_TABLES: Final = tenacity.Retrying(
    retry=tenacity.retry_if_exception(retry_schema_update()),
    wait=tenacity.wait_random(0, 0.5),
    stop=tenacity.stop_after_attempt(3),
    reraise=True,
)
"""Two first loads at once make the same tables; whoever is second compares again what is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What is written: `sources` is the new state, `version` the greatest of all earlier states.

    `make_source` gives the rows, and is called when dlt no longer sees the user's settings;
    `load_ids` are those of all states of the pipeline.
    """

    pipeline: str
    dataset: str
    sources: dict[str, Any]
    version: int
    load_ids: tuple[str, ...]
    make_source: Callable[[], DltSource]


def write_package(package: Package, warehouse: Warehouse) -> None:
    """Writes a package: its state and its rows, or neither.

    Raises:
        LedgerError: If dlt could not write.
        LoadError: If the tables of the ledger cannot be read or mended.
    """
    # Its credentials are the user's settings.
    destination = warehouse.destination()
    with spool_folder() as folder, without_settings():
        try:
            _write(package, folder, warehouse, destination)
        except (DltException, OSError) as error:
            # The file of the tables may be the one that is full, or the folder of this run.
            full = full_disk_of(error, folder, remedy=ANOTHER_FOLDER)
            raise LedgerError(full or _reason(error)) from error


def _write(package: Package, folder: Path, warehouse: Warehouse, destination: Any) -> None:
    pipeline = dlt.pipeline(
        pipeline_name=package.pipeline,
        pipelines_dir=str(folder),
        destination=destination,
        dataset_name=package.dataset,
        _impl_cls=_LedgerPipeline,
    )
    # Its trace would be written into the folder that is removed.
    pipeline.config.enable_runtime_trace = False
    pipeline.load_id = next_load_id(package.load_ids, create_load_id())
    source = package.make_source()
    _take_over_tables(pipeline, source.schema, warehouse)
    with pipeline.managed_state() as state:
        state["sources"] = package.sources
        state["_state_version"] = package.version + 1
    pipeline.extract(source)
    pipeline.normalize()
    _mend_tables(pipeline, warehouse)
    _WHILE_OTHERS_MAKE_TABLES(pipeline.load)
    warehouse.keep_tables(tuple(pipeline.default_schema.tables))


class _LedgerPipeline(Pipeline):
    """dlt's pipeline, with a load id that does not depend on the clock."""

    load_id = ""

    def _extract_source(
        self, extract: Extract, source: DltSource, *arguments: Any, **options: Any
    ) -> str:
        # dlt makes an id only if the schema has no package yet, so it gets one here.
        packages = extract.extract_storage.new_packages
        if not packages.list_packages():
            packages.create_package(self.load_id)
            packages.save_schema(self.load_id, source.schema)
        return super()._extract_source(extract, source, *arguments, **options)


def _client(pipeline: Pipeline) -> SqlJobClientBase:
    client = pipeline.destination_client()
    if not isinstance(client, SqlJobClientBase):
        raise TypeError(f"{type(client).__name__} keeps no tables")
    return client


def _take_over_tables(pipeline: Pipeline, schema: Schema, warehouse: Warehouse) -> None:
    """Keeps the tables of other sources in the schema that dlt stores, as dlt itself would.

    dlt could not load anything next to a table of schemas that it cannot read. The table has
    nothing that dlt does not write again, so it is dropped.
    """
    versions = schema.version_table_name
    columns = warehouse.table_columns(versions)
    if not columns:
        return
    with _client(pipeline) as client:
        if columns >= set(schema.tables[versions]["columns"]):
            try:
                tables = _stored_tables(client, schema)
            except _UNREADABLE:
                pass
            else:
                pipeline.schemas.save_schema(_with_tables(schema, tables))
                return
        client.sql_client.drop_tables(versions)


def _stored_tables(client: SqlJobClientBase, schema: Schema) -> list[TTableSchema]:
    info = client.get_stored_schema(schema.name)
    if info is None:
        return []
    return Schema.from_dict(json.loads(info.schema)).data_tables()


def _with_tables(schema: Schema, tables: Iterable[TTableSchema]) -> Schema:
    whole = schema.clone()
    for table in tables:
        # A schema that the user froze must not stop the ledger, and under another naming
        # convention the name would mean another table.
        table.pop("schema_contract", None)
        name = table["name"]
        if name and whole.naming.normalize_tables_path(name) == name:
            whole.update_table(table, normalize_identifiers=False)
    return whole


def _mend_tables(pipeline: Pipeline, warehouse: Warehouse) -> None:
    """Makes the tables and columns again that dlt is about to write and that are gone.

    dlt compares tables with a schema only if the schema is new to it, and it adds no column that
    must have a value, because the rows of the table have none.
    """
    schema = pipeline.default_schema
    there = {name: warehouse.table_columns(name) for name in schema.tables}
    lacking = {
        name: set(table["columns"]) - there[name]
        for name, table in schema.tables.items()
        if not there[name] >= set(table["columns"])
    }
    if not lacking or not any(there.values()):
        return
    client = _client(pipeline)
    for name, columns in lacking.items():
        if there[name]:
            table = client.prepare_load_table(name)
            types = {
                column: client.type_mapper.to_destination_type(table["columns"][column], table)
                for column in sorted(columns)
            }
            warehouse.add_columns(name, types)
    if there[schema.version_table_name]:
        with client:
            client.update_stored_schema(only_tables=lacking, force=True)


def _reason(error: BaseException) -> str:
    """The first cause, in one line: dlt wraps every error several times."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return first
