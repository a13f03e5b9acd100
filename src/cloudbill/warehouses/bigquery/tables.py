"""BigQuery tables as cloudbill creates and accepts them; pure, except for the client's values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.errors import LoadError, ReconciliationError, SchemaError
from cloudbill.files.columns import Fit, amounts_of, fit_columns
from cloudbill.files.parquet_footers import Footer
from cloudbill.manifests import Column, ColumnType, Manifest
from cloudbill.models import PlannedLoad
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.bigquery.column_headers import description_of, text_with_header
from cloudbill.warehouses.bigquery.narrow_amounts import narrow_amounts
from cloudbill.warehouses.bigquery.table_conversion import conversion_of

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = [
    "changed",
    "column_types",
    "csv_options",
    "documented_columns",
    "exact_types",
    "extended",
    "fields_in_order",
    "fields_of",
    "fit_into",
    "granularity_of",
    "label_of",
    "new_table",
    "parquet_options",
    "partition_granularity",
    "path_of",
    "relaxed",
    "require_month",
    "require_table",
    "required_columns",
]

_FIELD_TYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.STRING: "STRING",
    ColumnType.DECIMAL: "BIGNUMERIC",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.DATE: "DATE",
    ColumnType.TIME: "TIME",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "INTEGER",
    ColumnType.FLOAT: "FLOAT",
    ColumnType.BYTES: "BYTES",
    ColumnType.JSON: "JSON",
}
_NUMERIC: Final = frozenset({"NUMERIC", "DECIMAL"})
# The API has two names for some types (BigQuery REST, TableFieldSchema.type).
_SYNONYMS: Final[Mapping[str, str]] = {
    "BIGDECIMAL": "BIGNUMERIC",
    "BOOL": "BOOLEAN",
    "FLOAT64": "FLOAT",
    "INT64": "INTEGER",
}
_COLUMN_TYPES: Final = {name: kind for kind, name in _FIELD_TYPES.items()}
# BigQuery REST, TableFieldSchema.description.
_MONTH: Final = bigquery.TimePartitioningType.MONTH
_DAY: Final = bigquery.TimePartitioningType.DAY


def fields_of(columns: Iterable[Column]) -> list[bigquery.SchemaField]:
    """Fields for columns; the description keeps the header if it differs from the name."""
    return [_field(column) for column in columns]


def _field(column: Column) -> bigquery.SchemaField:
    if column.name == column.target:
        return bigquery.SchemaField(column.target, _FIELD_TYPES[column.type])
    return bigquery.SchemaField(
        column.target, _FIELD_TYPES[column.type], description=description_of(column.name)
    )


def column_types(schema: Sequence[bigquery.SchemaField]) -> dict[str, ColumnType | str]:
    """The type of each column, or BigQuery's name for a type that cloudbill does not create."""
    types: dict[str, ColumnType | str] = {}
    for field in schema:
        name = str(field.field_type)
        name = _SYNONYMS.get(name, name)
        if field.mode == "REPEATED":
            name = f"repeated {name}"
        types[str(field.name)] = _COLUMN_TYPES.get(name, name)
    return types


def path_of(table: bigquery.Table) -> tuple[str, str, str]:
    """The name of a table for SQL."""
    return str(table.project), str(table.dataset_id), str(table.table_id)


def exact_types(schema: Sequence[bigquery.SchemaField]) -> dict[str, ColumnType | str]:
    """What the columns hold; NUMERIC is exact as well, though cloudbill makes no such column."""
    return {
        name: ColumnType.DECIMAL if kind in _NUMERIC else kind
        for name, kind in column_types(schema).items()
    }


def fields_in_order(
    columns: Sequence[Column], schema: Sequence[bigquery.SchemaField], required: frozenset[str]
) -> list[bigquery.SchemaField]:
    """The fields for columns, in the order of the columns: from the table, or new.

    Of those that are REQUIRED in the table, only `required` stay so. Columns of the table that are
    not among `columns` are left out, because it is not documented that a file may lack a column
    that its job states, but it is that a job may state fewer columns than the table has ("Modifying
    table schemas", the samples that relax a column in an append).
    """
    existing = {str(field.name).lower(): field for field in relaxed(schema, required)}
    return [existing.get(column.target.lower()) or _field(column) for column in columns]


def required_columns(schema: Iterable[bigquery.SchemaField]) -> frozenset[str]:
    """The names, in lower case, of the columns whose mode is REQUIRED."""
    return frozenset(str(field.name).lower() for field in schema if field.mode == "REQUIRED")


def relaxed(
    schema: Iterable[bigquery.SchemaField], required: frozenset[str]
) -> list[bigquery.SchemaField]:
    """The same fields, where every REQUIRED one but `required` is NULLABLE."""
    return [
        changed(field, mode="NULLABLE")
        if field.mode == "REQUIRED" and str(field.name).lower() not in required
        else field
        for field in schema
    ]


def changed(field: bigquery.SchemaField, **properties: str | None) -> bigquery.SchemaField:
    """A field with other properties, by their names in the API; None takes one away."""
    given = field.to_api_repr() | properties
    stated = {name: value for name, value in given.items() if value is not None}
    return bigquery.SchemaField.from_api_repr(stated)


def extended(
    schema: Sequence[bigquery.SchemaField],
    columns: Sequence[Column],
    added: Iterable[Column],
    *,
    required: frozenset[str],
) -> list[bigquery.SchemaField]:
    """A table's schema with more columns, and with the header of each column recorded.

    A column without a recorded header may go to another header later. Of the REQUIRED columns, only
    `required` stay so; the others become NULLABLE, which is never undone.
    """
    headers = {
        column.target.lower(): column.name for column in columns if column.name != column.target
    }
    described = []
    for field in relaxed(schema, required):
        header = headers.get(str(field.name).lower())
        text = None if header is None else text_with_header(field.description, header)
        described.append(field if text is None else changed(field, description=text))
    return [*described, *fields_of(added)]


def parquet_options(fields: Sequence[bigquery.SchemaField]) -> dict[str, Any]:
    """Options of a load job for Parquet.

    The schema is stated, or the alphabetically last file would decide it.
    """
    return {
        "source_format": bigquery.SourceFormat.PARQUET,
        "schema": list(fields),
        "decimal_target_types": [bigquery.DecimalTargetType.BIGNUMERIC],
    }


def csv_options(fields: Sequence[bigquery.SchemaField]) -> dict[str, Any]:
    """Options of a load job for CSV; `fields` are in the order of its header.

    The header line is skipped, so its text and a byte order mark make no difference.
    """
    # Every tolerance of BigQuery is off: a row that does not fit must fail the job, not disappear.
    return {
        "source_format": bigquery.SourceFormat.CSV,
        "schema": list(fields),
        "skip_leading_rows": 1,
        "allow_quoted_newlines": True,
        "allow_jagged_rows": False,
        "ignore_unknown_values": False,
        "max_bad_records": 0,
        "encoding": bigquery.Encoding.UTF_8,
    }


def new_table(
    reference: str,
    columns: Sequence[Column],
    *,
    period_column: str,
    cluster_column: str,
    required: frozenset[str] = frozenset(),
    expiration_ms: int | None = None,
) -> bigquery.Table:
    """An empty table, partitioned by month of the period column and clustered.

    `required` has the names, in lower case, of the columns that are REQUIRED. `expiration_ms` is
    when a partition is deleted, or None for the default of the dataset.
    """
    targets = {column.target.lower(): column for column in columns}
    period = targets.get(period_column.lower())
    if period is None or period.type not in {ColumnType.TIMESTAMP, ColumnType.DATE}:
        raise SchemaError(
            f"The run has no column '{period_column}' that is a timestamp or a date, which says "
            "which month a row belongs to"
        )
    fields = [
        changed(field, mode="REQUIRED") if str(field.name).lower() in required else field
        for field in fields_of(columns)
    ]
    table = bigquery.Table(reference, schema=fields)
    table.time_partitioning = bigquery.TimePartitioning(
        type_=_MONTH, field=period.target, expiration_ms=expiration_ms
    )
    cluster = targets.get(cluster_column.lower())
    if cluster is not None:
        table.clustering_fields = [cluster.target]
    return table


def granularity_of(table: bigquery.Table, *, period_column: str) -> str | None:
    """`MONTH` or `DAY` where the table is partitioned so by the period column, in any case."""
    by = table.time_partitioning
    if by is None or str(by.field or "").lower() != period_column.lower():
        return None
    return str(by.type_) if by.type_ in {_MONTH, _DAY} else None


def require_table(table: bigquery.Table) -> None:
    """Refuses what has the name of a table and is none, such as a view.

    Raises:
        LoadError: If it is one.
    """
    if table.table_type not in {None, "TABLE"}:
        raise LoadError(
            f"{table.dataset_id}.{table.table_id} is no table of its own, but a "
            f"{table.table_type.lower().replace('_', ' ')}, and a load replaces the partitions of "
            "a table. Set another 'table_name'",
            is_of_run=False,
        )


def partition_granularity(table: bigquery.Table, *, period_column: str, cluster_column: str) -> str:
    """`MONTH` or `DAY`, the granularity of the table's partitions on the period column.

    Raises:
        LoadError: If it is partitioned differently, or not at all; the message has the statements
            that convert the table.
    """
    granularity = granularity_of(table, period_column=period_column)
    if granularity is not None:
        return granularity
    partitioning = table.time_partitioning
    name = f"{table.dataset_id}.{table.table_id}"
    found = f"partitioned by {partitioning.type_}" if partitioning else "not partitioned"
    raise LoadError(
        f"Table {name} is {found}; a month can be replaced in one step only where the table is "
        f"partitioned by month of {period_column}. "
        f"{conversion_of(table, partitions_by=period_column, clusters_by=cluster_column)}",
        is_of_run=False,
    )


def fit_into(
    table: bigquery.Table,
    columns: Sequence[Column],
    provider: Provider,
    manifest: Manifest | None,
) -> Fit:
    """How a table takes the columns of a run; without a manifest, decimals are amounts.

    Raises:
        SchemaError: If a column of the table has another type, or would have to change its own,
            which BigQuery does not do; the message has the statements that do.
    """
    narrow = narrow_amounts(table, columns)
    if narrow is not None:
        raise SchemaError(narrow)
    name = str(table.table_id)
    types = column_types(table.schema)
    amounts = _are_amounts if manifest is None else amounts_of(provider, manifest)
    fit = fit_columns(columns, types, table=name, amounts=amounts)
    if fit.widened:
        listed = ", ".join(
            f"'{column}' is {types[column]} and has to be {kind}"
            for column, kind in fit.widened.items()
        )
        is_right = granularity_of(table, period_column=provider.PERIOD_COLUMN) is not None
        statements = conversion_of(
            table,
            partitions_by=None if is_right else provider.PERIOD_COLUMN,
            clusters_by=provider.CLUSTER_COLUMN,
            changed={column: _FIELD_TYPES[kind] for column, kind in fit.widened.items()},
        )
        raise SchemaError(
            f"In {name}, {listed}, and BigQuery changes no such type in place. The month was not "
            "changed. Months whose sums change with the type are loaded again. "
            f"{statements}"
        )
    return fit


def _are_amounts(_: str, kind: ColumnType) -> bool:
    return kind is ColumnType.DECIMAL


def documented_columns(table: bigquery.Table, provider: Provider) -> tuple[Column, ...]:
    """The period and the costs, as runs have them; a period may be of days where the table's is."""
    types = {name.lower(): kind for name, kind in column_types(table.schema).items()}
    is_day = types.get(provider.PERIOD_COLUMN.lower()) is ColumnType.DATE
    period = ColumnType.DATE if is_day else ColumnType.TIMESTAMP
    kinds = {provider.PERIOD_COLUMN: period}
    kinds |= dict.fromkeys(provider.COST_COLUMNS, ColumnType.DECIMAL)
    return tuple(Column(name=name, target=name, type=kind) for name, kind in kinds.items())


def require_month(planned: PlannedLoad, footers: Sequence[Footer]) -> None:
    """Compares the statistics of the period column with the month of the run.

    Raises:
        ReconciliationError: If the run has rows of another month.
    """
    manifest = planned.manifest
    allowed = manifest.spans or (planned.period,)
    for footer in footers:
        for day in (footer.first_day, footer.last_day):
            if day is not None and BillingPeriod.of(day) not in allowed:
                stated, remedy = str(planned.period), "export one month at a time"
                if manifest.spans:
                    stated = f"{allowed[0]} to {allowed[-1]}"
                    remedy = "export these months again"
                raise ReconciliationError(
                    f"Run {manifest.run_id} is one of {stated}, but {footer.address} has rows "
                    f"whose {planned.period_column} is {day}. The month was not changed; {remedy}"
                )


_LABEL_CHARACTERS: Final = re.compile(r"[^a-z0-9_-]")


def label_of(text: str) -> str:
    """A text as the value of a label."""
    # "Requirements for labels": lower case, digits, _ and -, at most 63 characters.
    return _LABEL_CHARACTERS.sub("-", text.lower())[:63]
