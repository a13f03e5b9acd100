"""Names of tables and of their partitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bqemulator.storage.sql_identifiers import quoted_table_ref

from emulators.bigquery.errors import JobError

if TYPE_CHECKING:
    from bqemulator.catalog.models import TableMeta, TimePartitioning

# The text of a partition's id: https://cloud.google.com/bigquery/docs/partitioned-tables
_ID_FORMATS = {"YEAR": "%Y", "MONTH": "%Y%m", "DAY": "%Y%m%d", "HOUR": "%Y%m%d%H"}
# Introduction to partitioned tables: the years that have partitions, and where other rows go.
FIRST_YEAR, LAST_YEAR, OUTSIDE = 1960, 2159, "__UNPARTITIONED__"
_ID_LENGTHS = {"YEAR": 4, "MONTH": 6, "DAY": 8, "HOUR": 10}


def quoted(name: str) -> str:
    """The name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRef:
    """A table, or with ``partition`` one slice of it: ``table$202510``."""

    project: str
    dataset: str
    table: str
    partition: str | None = None

    @classmethod
    def from_rest(cls, reference: dict[str, Any]) -> TableRef:
        """Read a ``TableReference``, whose table id may carry a partition decorator."""
        return cls.of(reference["projectId"], reference["datasetId"], reference["tableId"])

    @classmethod
    def of(cls, project: str, dataset: str, table_id: str) -> TableRef:
        """Split the decorator off the table's id."""
        table, _, partition = table_id.partition("$")
        return cls(project=project, dataset=dataset, table=table, partition=partition or None)

    @property
    def key(self) -> tuple[str, str, str]:
        """The table without its partition."""
        return self.project, self.dataset, self.table

    @property
    def sql(self) -> str:
        """The physical table."""
        return quoted_table_ref(*self.key)

    def __str__(self) -> str:
        suffix = f"${self.partition}" if self.partition else ""
        return f"{self.project}:{self.dataset}.{self.table}{suffix}"


def partition_id(partitioning: TimePartitioning) -> str:
    """SQL that gives the id of the partition of a row.

    Rows without a value go to ``__NULL__``, those of before 1960 or after 2159 to another one.
    """
    if partitioning.field is None:
        raise JobError("notImplemented", "Partitions by ingestion time are not emulated")
    text = f"strftime({quoted(partitioning.field)}, '{_ID_FORMATS[partitioning.type]}')"
    year = f"year({quoted(partitioning.field)})"
    return (
        f"CASE WHEN {year} IS NULL THEN '__NULL__' "
        f"WHEN {year} BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {text} ELSE '{OUTSIDE}' END"
    )


def in_partition(ref: TableRef, partitioning: TimePartitioning | None) -> str:
    """SQL condition that holds for rows of the partition that ``ref`` names, if it names one."""
    if ref.partition is None:
        return "true"
    if partitioning is None:
        raise JobError("invalid", f"Table {ref} is not partitioned, but a partition was named")
    digits = ref.partition
    if not digits.isdigit() or len(digits) != _ID_LENGTHS[partitioning.type]:
        raise JobError(
            "invalid",
            f"Invalid partition id ${digits} of a table partitioned by {partitioning.type}: {ref}",
        )
    return f"{partition_id(partitioning)} = '{digits}'"


def layout(table: TableMeta) -> tuple[object, ...]:
    """What must agree between two tables before their partitions can be exchanged."""
    by = table.time_partitioning
    clustered = table.clustering.fields if table.clustering else ()
    return (by.type, (by.field or "").lower()) if by else None, clustered
