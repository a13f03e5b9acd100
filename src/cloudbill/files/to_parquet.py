"""Rewrites parts as Parquet, for a warehouse that gets its files from this process.

DuckDB reads them by the same rules as when it is the warehouse, so a part means the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.disk.room import full_disk_of
from cloudbill.disk.spool import ANOTHER_FOLDER
from cloudbill.errors import LoadError
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.damage import reason_of
from cloudbill.files.known_objects import with_known_objects
from cloudbill.files.parquet_relation import faults_named, read_parquet_parts
from cloudbill.files.sums import sum_rests
from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.files.relation import PartsRelation
    from cloudbill.models import Totals
    from cloudbill.periods import BillingPeriod
    from cloudbill.providers import Provider

__all__ = ["Rewriting"]

_COPY: Final = (
    "COPY (SELECT {columns} FROM (SELECT {values} FROM {relation})) TO $target (FORMAT parquet)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewriting:
    """How parts are rewritten, with the columns and exact types of a table, all of them OPTIONAL.

    `types` are those of the table, by names in lower case. What is rounded away of the costs is
    summed for `provider`, where it is given, in the month `period`, or in all rows.
    """

    types: Mapping[str, ColumnType | str]
    amounts: Callable[[str, ColumnType], bool]
    objects: Callable[[str], bool]
    provider: Provider | None
    period: BillingPeriod | None
    memory_limit: str

    def csv(self, part: CsvPart, target: Path) -> Totals:
        """Writes a CSV part as Parquet, and returns what was rounded away of its costs.

        Raises:
            LoadError: If a row or a cell does not fit; the message names it.
            StoreError: If the part is damaged or was cut off.
        """
        with (
            self._connection(part.address, target) as connection,
            read_csv_parts([part], empty_text_is_null=True) as source,
        ):
            return self._write(connection, source, target)

    def parquet(self, file: Path, address: str, target: Path) -> Totals:
        """Writes a Parquet part again, and returns what was rounded away of its costs.

        Raises:
            LoadError: If a value does not fit, or the part is damaged.
            SchemaError: If it holds a type that is not loaded.
        """
        with self._connection(address, target) as connection:
            source = read_parquet_parts(
                connection,
                [file],
                amounts=self.amounts,
                objects=self.objects,
                addresses=[address],
            )
            with faults_named(connection, source, lambda: self.types):
                return self._write(connection, source, target)

    @contextmanager
    def _connection(self, address: str, target: Path) -> Iterator[DuckDBPyConnection]:
        try:
            with closing(duckdb.connect()) as connection:
                connection.execute("SET memory_limit = $limit", {"limit": self.memory_limit})
                connection.execute("SET preserve_insertion_order = false")
                connection.execute("SET TimeZone = 'UTC'")
                # From statistics, DuckDB would learn which columns have no NULL in this part, and
                # write those as REQUIRED; BigQuery refuses them where the table is NULLABLE.
                connection.execute("SET disabled_optimizers = 'statistics_propagation'")
                yield connection
        except duckdb.OutOfMemoryException as error:
            raise LoadError(
                f"{address} could not be converted: {reason_of(error)}. Raise 'memory_limit'",
                is_of_run=False,
            ) from error
        except duckdb.Error as error:
            full = full_disk_of(error, target, remedy=ANOTHER_FOLDER)
            raise LoadError(
                f"{address} could not be converted: {full or reason_of(error)}",
                is_of_run=full is None,
            ) from error

    def _write(self, connection: DuckDBPyConnection, source: PartsRelation, target: Path) -> Totals:
        # A time in Parquet is one in UTC only if its type says so.
        times = [
            column.target
            for column in source.columns
            if self.types.get(column.target.lower(), column.type) is ColumnType.TIMESTAMP
        ]
        zoned = [
            DUCKDB.compose("CAST({name} AS TIMESTAMPTZ) AS {name}", name=name) for name in times
        ]
        # BigQuery reads no objects from Parquet, but texts that SQL makes objects of.
        zoned += [
            DUCKDB.compose("CAST({name} AS VARCHAR) AS {name}", name=column.target)
            for column in source.columns
            if column.type is ColumnType.JSON
        ]
        columns = [Fragment("*")]
        if zoned:
            columns = [DUCKDB.compose("* REPLACE ({zoned})", zoned=zoned)]
        rows = with_known_objects(connection, source)
        statement = DUCKDB.compose(
            _COPY, columns=columns, values=rows.projection(self.types), relation=rows.relation
        )
        connection.execute(statement.text, {**rows.parameters, "target": str(target)})
        if self.provider is None:
            return {}
        return sum_rests(connection, source, self.provider, self.period)
