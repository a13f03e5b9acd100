"""Google's own analyser of GoogleSQL, and its reference implementation, over tables of a test.

ZetaSQL is what BigQuery's SQL is made of (github.com/google/zetasql); this is a build of it as
WebAssembly. It knows the types, the functions and the grammar, and neither partitions nor rights.
"""

from __future__ import annotations

import ctypes
import fcntl
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, Final

import wasmtime
from zetasql.core import wasm_client
from zetasql.core.exceptions import ZetaSQLError
from zetasql.core.local_service import ZetaSqlLocalService
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service_pb2
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options_pb2
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

__all__ = ["GoogleSql"]

_DIGITS: Final = Context(prec=77)
_EPOCH: Final = date(1970, 1, 1)
# The API's names of types (BigQuery REST, TableFieldSchema.type), and those of GoogleSQL.
_KINDS: Final[Mapping[str, int]] = {
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC,
    "BOOLEAN": type_pb2.TYPE_BOOL,
    "BYTES": type_pb2.TYPE_BYTES,
    "DATE": type_pb2.TYPE_DATE,
    "DATETIME": type_pb2.TYPE_DATETIME,
    "FLOAT": type_pb2.TYPE_DOUBLE,
    "INT64": type_pb2.TYPE_INT64,
    "INTEGER": type_pb2.TYPE_INT64,
    "JSON": type_pb2.TYPE_JSON,
    "NUMERIC": type_pb2.TYPE_NUMERIC,
    "STRING": type_pb2.TYPE_STRING,
    "TIME": type_pb2.TYPE_TIME,
    "TIMESTAMP": type_pb2.TYPE_TIMESTAMP,
}

_FIELDS: Final[Mapping[str, str]] = {
    "BOOLEAN": "bool_value",
    "BYTES": "bytes_value",
    "FLOAT": "double_value",
    "INTEGER": "int64_value",
    "JSON": "json_value",
    "STRING": "string_value",
}

Schema = Mapping[str, str]
"""The type of each column, in the API's words."""
Rows = Iterable[Sequence[Any]]
"""The cells of each row, in the order of the columns."""


class GoogleSql:
    """The analyser; `compiled` is a folder for what takes half a minute to compile."""

    def __init__(self, compiled: Path) -> None:
        compiled.mkdir(parents=True, exist_ok=True)
        with (compiled / "lock").open("w") as lock:
            # Of two processes, the second one waits for what the first one compiles.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._service = _service(compiled)
        language = self._service.get_language_options(maximum_features=True).to_proto()
        language.product_mode = public_options_pb2.PRODUCT_EXTERNAL
        language.supported_statement_kinds.clear()
        language.enabled_language_features.append(
            public_options_pb2.FEATURE_ALTER_COLUMN_SET_DATA_TYPE
        )
        self._language = language
        self._catalogue = self._catalogue_of({}, {})

    def know(
        self, tables: Mapping[tuple[str, ...], Schema], rows: Mapping[str, Rows] | None = None
    ) -> None:
        """Takes these tables, by project, dataset and name, for all there are.

        `rows` has those of tables that are to be queried, which have no project and no dataset.
        """
        self._catalogue = self._catalogue_of(tables, rows or {})

    def fault_of(self, statement: str, parameters: Schema | None = None) -> str | None:
        """What GoogleSQL says against a statement; `parameters` has their types."""
        try:
            self._analysed(statement, parameters or {})
        except ZetaSQLError as error:
            return str(error)
        return None

    def origins_of(self, query: str, columns: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """For each of some columns, the table and the column that it is in each part of a UNION.

        The table of what is no column of a table has a name with `$`.
        """
        answer = self._analysed(query, {}).resolved_statement.resolved_query_stmt_node
        names = [one.name for one in answer.output_column_list]
        union = answer.query.resolved_set_operation_scan_node.input_item_list
        parts = [part.output_column_list for part in union] or [
            [one.column for one in answer.output_column_list]
        ]
        return {
            name: [
                (part[names.index(name)].table_name, part[names.index(name)].name) for part in parts
            ]
            for name in columns
        }

    def _analysed(self, statement: str, parameters: Schema) -> Any:
        request = service_pb2.AnalyzeRequest(
            options=self._options(parameters),
            registered_catalog_id=self._catalogue,
            sql_statement=statement,
        )
        return self._call("Analyze", request, service_pb2.AnalyzeResponse)

    def rows(
        self,
        query: str,
        parameters: Mapping[str, str | date | datetime] | None = None,
        *,
        zone: str = "UTC",
    ) -> list[tuple[Any, ...]]:
        """The answer of the reference implementation to a query; `zone` is that of the project."""
        given = {name: _parameter(value) for name, value in (parameters or {}).items()}
        request = service_pb2.EvaluateQueryRequest(
            sql=query,
            options=self._options({name: kind for name, (kind, _) in given.items()}, zone),
            registered_catalog_id=self._catalogue,
            params=[
                service_pb2.Parameter(name=name, value=value) for name, (_, value) in given.items()
            ],
        )
        answer = self._call("EvaluateQuery", request, service_pb2.EvaluateQueryResponse)
        return [tuple(_value(cell) for cell in row.cell) for row in answer.content.table_data.row]

    def _options(self, parameters: Schema, zone: str = "UTC") -> Any:
        return options_pb2.AnalyzerOptionsProto(
            language_options=self._language,
            default_timezone=zone,
            query_parameters=[
                options_pb2.AnalyzerOptionsProto.QueryParameterProto(name=name, type=_type(kind))
                for name, kind in parameters.items()
            ],
        )

    def _catalogue_of(
        self, tables: Mapping[tuple[str, ...], Schema], rows: Mapping[str, Rows]
    ) -> int:
        root = simple_catalog_pb2.SimpleCatalogProto(name="root")
        root.builtin_function_options.language_options.CopyFrom(self._language)
        for (*above, name), columns in tables.items():
            table = _below(root, above).table.add(name=name, name_in_catalog=name)
            for column, kind in columns.items():
                table.column.add(name=column, type=_type(kind))
        request = service_pb2.RegisterCatalogRequest(
            simple_catalog=root,
            table_content={
                path[-1]: _content(columns.values(), rows[path[-1]])
                for path, columns in tables.items()
                if path[-1] in rows
            },
        )
        return int(
            self._call("RegisterCatalog", request, service_pb2.RegisterResponse).registered_id
        )

    def _call(self, method: str, request: Any, answer: Any) -> Any:
        client = self._service.wasm_client
        return client.call_grpc_func(f"ZetaSqlLocalService_{method}", request, answer)


def _service(compiled: Path) -> Any:
    """The service, compiled once for all processes: with wasmtime's cache it takes a second."""
    settings = compiled / "wasmtime.toml"
    settings.write_text(f'[cache]\ndirectory = "{compiled / "cache"}"\n')

    class Cached(wasmtime.Config):
        def __init__(self) -> None:
            super().__init__()
            self.cache = str(settings)

    config = wasm_client.Config
    wasm_client.Config = Cached
    try:
        service = ZetaSqlLocalService()
    finally:
        wasm_client.Config = config
    client = service.wasm_client

    def address() -> int:
        return ctypes.addressof(client.memory.data_ptr().contents)

    # The client copies byte by byte, which takes longer than the analysis.
    client.read_bytes = lambda start, size: ctypes.string_at(address() + start, size)
    client.write_bytes = lambda start, data: ctypes.memmove(address() + start, data, len(data))
    return service


def _below(root: Any, names: Iterable[str]) -> Any:
    for name in names:
        found = [one for one in root.catalog if one.name == name]
        root = found[0] if found else root.catalog.add(name=name)
    return root


def _type(kind: str) -> Any:
    """A type by the API's word; `MAP` is the record that a load job makes of a map of texts."""
    if kind != "MAP":
        return type_pb2.TypeProto(type_kind=_KINDS[kind])
    pairs = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY)
    pairs.array_type.element_type.CopyFrom(_struct(key=_type("STRING"), value=_type("STRING")))
    return _struct(key_value=pairs)


def _struct(**fields: Any) -> Any:
    struct = type_pb2.TypeProto(type_kind=type_pb2.TYPE_STRUCT)
    for name, kind in fields.items():
        struct.struct_type.field.add(field_name=name, field_type=kind)
    return struct


def _parameter(value: str | date | datetime) -> tuple[str, Any]:
    if isinstance(value, datetime):
        moment = value_pb2.ValueProto()
        moment.timestamp_value.FromDatetime(value)
        return "TIMESTAMP", moment
    if isinstance(value, date):
        return "DATE", value_pb2.ValueProto(date_value=(value - _EPOCH).days)
    return "STRING", value_pb2.ValueProto(string_value=value)


def _content(kinds: Iterable[str], rows: Rows) -> Any:
    """The rows of a table as the service takes them."""
    listed = [*kinds]
    data = service_pb2.TableData(
        row=[
            service_pb2.TableData.Row(
                cell=[_cell(value, kind) for value, kind in zip(row, listed, strict=True)]
            )
            for row in rows
        ]
    )
    return service_pb2.TableContent(table_data=data)


def _cell(value: Any, kind: str) -> Any:
    cell = value_pb2.ValueProto()
    if value is None:
        return cell
    if kind == "TIMESTAMP":
        cell.timestamp_value.FromDatetime(value)
    elif kind == "DATE":
        cell.date_value = (value - _EPOCH).days
    elif kind == "BIGNUMERIC":
        whole = int(value.scaleb(38, _DIGITS))
        cell.bignumeric_value = whole.to_bytes(whole.bit_length() // 8 + 1, "little", signed=True)
    else:
        setattr(cell, _FIELDS[kind], value)
    return cell


def _value(cell: Any) -> Any:
    kind = cell.WhichOneof("value")
    if kind == "timestamp_value":
        return cell.timestamp_value.ToDatetime(UTC)
    if kind == "bignumeric_value":
        # Little-endian, in two's complement, and 38 digits are behind the point.
        whole = int.from_bytes(cell.bignumeric_value, "little", signed=True)
        return Decimal(whole).scaleb(-38, _DIGITS)
    return None if kind is None else getattr(cell, kind)
