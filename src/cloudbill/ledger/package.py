"""Writes one load package of dlt: the next state of a ledger, and rows of its tracking table.

dlt's own `run` restores the state with the greatest load id first, and believes that its tables are
as it left them. Here the state is given, and what is gone from the tables is made again.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dlt
from dlt.common.exceptions import DltException
from dlt.common.storages.load_package import create_load_id
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.pipeline.pipeline import Pipeline

from cloudbill.disk.room import full_disk_of
from cloudbill.disk.spool import ANOTHER_FOLDER, spool_folder
from cloudbill.errors import LedgerError
from cloudbill.ledger.dlt_settings import without_settings
from cloudbill.ledger.load_ids import next_load_id

if TYPE_CHECKING:
    from dlt.common.schema import Schema
    from dlt.common.schema.typing import TTableSchema
    from dlt.extract import DltSource
    from dlt.extract.extract import Extract

__all__ = ["Package", "write_package"]

_UNREADABLE: Final = (KeyError, TypeError, ValueError, zlib.error, DltException)
"""What reading a stored schema ends with that somebody damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What is written: `sources` is the new state, `version` the greatest of the states before it.

    `make_source` gives the rows, once dlt sees no settings of the user; `load_ids` are those of all
    states of the pipeline.
    """

    pipeline: str
    dataset: str
    destination: Any
    sources: dict[str, Any]
    version: int
    load_ids: tuple[str, ...]
    make_source: Callable[[], DltSource]


def write_package(package: Package, columns_of: Callable[[str], frozenset[str]]) -> None:
    """Writes a package, state and rows or neither; `columns_of` says what a table has now.

    Raises:
        LedgerError: If dlt could not write.
    """
    with spool_folder() as folder, without_settings():
        try:
            _write(package, folder, columns_of)
        except (DltException, OSError) as error:
            # The file of the tables may be the one that is full, or the folder of this run.
            full = full_disk_of(error, folder, remedy=ANOTHER_FOLDER)
            raise LedgerError(full or _reason(error)) from error


def _write(package: Package, folder: Path, columns_of: Callable[[str], frozenset[str]]) -> None:
    pipeline = dlt.pipeline(
        pipeline_name=package.pipeline,
        pipelines_dir=str(folder),
        destination=package.destination,
        dataset_name=package.dataset,
        _impl_cls=_LedgerPipeline,
    )
    pipeline.load_id = next_load_id(package.load_ids, create_load_id())
    source = package.make_source()
    _take_over_tables(pipeline, source.schema, columns_of)
    with pipeline.managed_state() as state:
        state["sources"] = package.sources
        state["_state_version"] = package.version + 1
    pipeline.extract(source)
    pipeline.normalize()
    _mend_tables(pipeline, columns_of)
    pipeline.load()


class _LedgerPipeline(Pipeline):
    """dlt's pipeline, with a load id that does not depend on the clock."""

    load_id = ""

    def _extract_source(
        self, extract: Extract, source: DltSource, *arguments: Any, **options: Any
    ) -> str:
        # dlt makes an id where there is no package yet for the schema; so here there is one.
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


def _take_over_tables(
    pipeline: Pipeline, schema: Schema, columns_of: Callable[[str], frozenset[str]]
) -> None:
    """Keeps the tables of other sources in the schema that dlt stores, as dlt itself would.

    A table of schemas that dlt cannot read would end every load. It has nothing that dlt does not
    write again, so it is dropped.
    """
    versions = schema.version_table_name
    there = columns_of(versions)
    if not there:
        return
    with _client(pipeline) as client:
        known: list[TTableSchema] = []
        try:
            if there >= set(schema.tables[versions]["columns"]):
                known = _stored_tables(client, schema)
                pipeline.schemas.save_schema(_with_tables(schema, known))
                return
        except _UNREADABLE as error:
            if isinstance(error, DltException) and _is_passing(error):
                raise
        client.sql_client.drop_tables(versions)


def _is_passing(error: DltException) -> bool:
    """Whether the warehouse could not answer, which says nothing of the table."""
    from dlt.common.destination.exceptions import DestinationException

    return isinstance(error, DestinationException)


def _stored_tables(client: SqlJobClientBase, schema: Schema) -> list[TTableSchema]:
    from dlt.common.schema import Schema as StoredSchema

    info = client.get_stored_schema(schema.name)
    if info is None:
        return []
    return StoredSchema.from_dict(json.loads(info.schema)).data_tables()


def _with_tables(schema: Schema, tables: Iterable[TTableSchema]) -> Schema:
    whole = schema.clone()
    for table in tables:
        # Whoever froze a schema did not mean the ledger; and under another naming convention a
        # table is another one.
        table.pop("schema_contract", None)
        name = table["name"]
        if name and whole.naming.normalize_tables_path(name) == name:
            whole.update_table(table, normalize_identifiers=False)
    return whole


def _mend_tables(pipeline: Pipeline, columns_of: Callable[[str], frozenset[str]]) -> None:
    """Makes again what is gone from the tables that dlt is about to write.

    dlt compares tables with a schema only when the schema is new to it.
    """
    schema = pipeline.default_schema
    there = {name: columns_of(name) for name in schema.tables}
    lacking = {
        name: set(table["columns"]) - there[name]
        for name, table in schema.tables.items()
        if table["columns"] and not there[name] >= set(table["columns"])
    }
    if not lacking or not any(there.values()):
        return
    with _client(pipeline) as client:
        for name, columns in lacking.items():
            for column in columns if there[name] else ():
                _add_column(client, name, column)
        if there[schema.version_table_name]:
            client.update_stored_schema(only_tables=lacking, force=True)


def _add_column(client: SqlJobClientBase, table: str, column: str) -> None:
    """Adds a column that may be empty, for it is in the rows that are there."""
    prepared = client.prepare_load_table(table)
    kind = client.type_mapper.to_destination_type(prepared["columns"][column], prepared)
    client.sql_client.execute_sql(
        f"ALTER TABLE {client.sql_client.make_qualified_table_name(table)} "
        f"ADD COLUMN {client.sql_client.escape_column_name(column)} {kind}"
    )


def _reason(error: BaseException) -> str:
    """What began it, in one line: dlt wraps every error several times."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return first
