"""The catalog of the emulator, which also knows when each partition was last written."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bqemulator.catalog.memory_repository import MemoryCatalogRepository
from bqemulator.catalog.models import PartitionMeta

from emulators.bigquery.tables import FIRST_YEAR, LAST_YEAR, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bqemulator.catalog.models import JobMeta, TableMeta
    from bqemulator.storage.engine import DuckDBEngine

    from emulators.bigquery.protection import Tags

TableKey = tuple[str, str, str]


class Catalog(MemoryCatalogRepository):
    """Adds true ``last_modified_time`` values to INFORMATION_SCHEMA.PARTITIONS.

    https://cloud.google.com/bigquery/docs/information-schema-partitions
    """

    def __init__(self, engine: DuckDBEngine) -> None:
        super().__init__(engine)
        self._written: dict[TableKey, dict[str, datetime]] = {}
        self._hidden: dict[TableKey, set[str]] = {}
        self.tags: dict[TableKey, Tags] = {}
        """The tags and data policies of columns, which bqemulator's own tables do not have."""
        self.filtered: dict[TableKey, bool] = {}
        """The tables that demand a filter of partitions."""
        self.lists_late = False
        """Whether partitions that are written from now on are not listed yet.

        The view is a preview, and nothing says that it is up to date at once.
        https://cloud.google.com/bigquery/docs/information-schema-partitions
        """

        self.lists_emptied = False
        """Whether a partition that was written and has no row any more is listed with none.

        Nothing says what becomes of it after a DELETE within a transaction.
        """

    def create_table(self, table: TableMeta) -> TableMeta:
        """Create the table, and forget what a dropped one of this name had."""
        created = super().create_table(self._inheriting(table))
        self._written.pop((table.project_id, table.dataset_id, table.table_id), None)
        return created

    def _inheriting(self, table: TableMeta) -> TableMeta:
        """The table with the expirations that its dataset gives to new tables.

        Of a partitioned table the default for partitions counts, and the one for tables only where
        there is none; what the table states itself comes first.
        https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset
        (defaultTableExpirationMs, defaultPartitionExpirationMs)
        """
        dataset = self.get_dataset(table.project_id, table.dataset_id)
        if dataset is None or table.table_type != "TABLE":
            return table
        by, partitions_ms = table.time_partitioning, dataset.default_partition_expiration_ms
        if by is not None and (by.expiration_ms or partitions_ms):
            kept = by.model_copy(update={"expiration_ms": by.expiration_ms or partitions_ms})
            return table.model_copy(update={"time_partitioning": kept})
        if dataset.default_table_expiration_ms is None:
            return table
        until = table.creation_time + timedelta(milliseconds=dataset.default_table_expiration_ms)
        return table.model_copy(update={"expiration_time": table.expiration_time or until})

    def delete_table(
        self, project_id: str, dataset_id: str, table_id: str, *, not_found_ok: bool = False
    ) -> None:
        """Delete the table, with what protected it.

        https://cloud.google.com/bigquery/docs/row-level-security-intro (table deletion)
        """
        super().delete_table(project_id, dataset_id, table_id, not_found_ok=not_found_ok)
        self.drop_policies((project_id, dataset_id, table_id))
        self.tags.pop((project_id, dataset_id, table_id), None)
        self.filtered.pop((project_id, dataset_id, table_id), None)

    def drop_policies(self, table: TableKey) -> None:
        """Take every row access policy from a table."""
        for policy in self.list_row_access_policies(*table):
            self.delete_row_access_policy(*table, policy.policy_id)

    def stamp(self, table: TableKey, partitions: Iterable[str], at: datetime) -> None:
        """Remember that these partitions of the table were written."""
        partitions = list(partitions)
        if self.lists_late:
            self._hidden.setdefault(table, set()).update(partitions)
        self._written.setdefault(table, {}).update(dict.fromkeys(partitions, at))

    def list_partitions(
        self, project_id: str, dataset_id: str, table_id: str
    ) -> tuple[PartitionMeta, ...]:
        """Partitions that hold rows, each with the time it was last written."""
        written = self._written.get((project_id, dataset_id, table_id), {})
        hidden = self._hidden.get((project_id, dataset_id, table_id), set())
        found: dict[str, PartitionMeta] = {}
        for part in super().list_partitions(project_id, dataset_id, table_id):
            name = part.partition_id
            if name[:1].isdigit() and not FIRST_YEAR <= int(name[:4]) <= LAST_YEAR:
                name = OUTSIDE
            if self.lists_late and name in hidden:
                continue
            rows = part.total_rows + (found[name].total_rows if name in found else 0)
            found[name] = part.model_copy(
                update={
                    "partition_id": name,
                    "total_rows": rows,
                    "last_modified_time": written.get(name, part.last_modified_time),
                }
            )
        for name in written.keys() - found.keys() if self.lists_emptied else ():
            found[name] = PartitionMeta(
                table_catalog=project_id,
                table_schema=dataset_id,
                table_name=table_id,
                partition_id=name,
                total_rows=0,
                total_logical_bytes=0,
                last_modified_time=written[name],
            )
        return tuple(found.values())

    def partitioned_tables(self) -> tuple[TableMeta, ...]:
        """Every table that is partitioned by a column of time."""
        return tuple(
            table
            for table in self._tables.values()
            if table.time_partitioning and table.time_partitioning.field
        )

    def all_tables(self) -> tuple[TableMeta, ...]:
        """Every table that holds rows of its own."""
        return tuple(table for table in self._tables.values() if table.table_type == "TABLE")

    def all_jobs(self) -> tuple[JobMeta, ...]:
        """Every job of every project, in the order in which they came."""
        return tuple(self._jobs.values())

    def clear(self) -> None:
        """Forget everything."""
        for held in vars(self).values():
            if isinstance(held, dict):
                held.clear()
