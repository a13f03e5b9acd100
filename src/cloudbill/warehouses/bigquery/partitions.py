"""Which partition a month is written to, and how it is emptied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud import bigquery

from cloudbill.errors import LoadError
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.tables import partition_granularity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from cloudbill.files.parquet_footers import Footer
    from cloudbill.models import PlannedLoad
    from cloudbill.providers import Provider
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["empty_month", "partition_to_fill"]


def partition_of(planned: PlannedLoad, granularity: str, footers: Sequence[Footer]) -> str:
    """The id of the partition that the run fills: `YYYYMM`, or `YYYYMMDD` in a table by DAY.

    Raises:
        LoadError: If the table is by DAY and the rows of the run lie on several days.
    """
    if granularity == bigquery.TimePartitioningType.MONTH:
        return planned.period.partition_id
    days: set[date] = set()
    # Of a run over several months the rows of this one are looked at when they are staged.
    for footer in () if planned.manifest.spans else footers:
        days |= {day for day in (footer.first_day, footer.last_day) if day is not None}
    if len(days) > 1:
        listed = ", ".join(str(day) for day in sorted(days))
        raise LoadError(
            f"Table {planned.table} is partitioned by DAY, and the {planned.period_column} of run "
            f"{planned.manifest.run_id} lies on several days ({listed}), which no single job can "
            "replace. Partition the table by MONTH",
            is_of_run=False,
        )
    day = next(iter(days), planned.period.first_day)
    return f"{day:%Y%m%d}"


def partition_to_fill(
    dataset: Dataset,
    planned: PlannedLoad,
    table: bigquery.Table,
    footers: Sequence[Footer],
    *,
    provider: Provider,
) -> str:
    """The id of the partition that a run replaces.

    Raises:
        LoadError: If no single partition holds the month.
    """
    granularity = partition_granularity(
        table, period_column=planned.period_column, cluster_column=provider.CLUSTER_COLUMN
    )
    partition = partition_of(planned, granularity, footers)
    if granularity == bigquery.TimePartitioningType.DAY:
        others = sorted(set(_days_with_rows(dataset, planned)) - {partition})
        if others:
            raise LoadError(
                f"Table {planned.table} is partitioned by DAY and holds {planned.period} in "
                f"the partitions {', '.join(others)}, but the run goes to {partition}: the "
                "month would count twice. Partition the table by MONTH",
                is_of_run=False,
            )
    return partition


def _days_with_rows(dataset: Dataset, planned: PlannedLoad) -> list[str]:
    """The ids of the DAY partitions that have rows of the month."""
    days = dataset.rows_by_day(planned.table, planned, of_month_alone=True)
    return [day.replace("-", "") for day in days]


def empty_month(
    client: PersistentClient,
    dataset: Dataset,
    planned: PlannedLoad,
    table: bigquery.Table,
    *,
    provider: Provider,
) -> None:
    """Empties a month, for a run without rows.

    Raises:
        LoadError: If the table is not partitioned so that a month can be told.
    """
    with bigquery_errors(f"Emptying {planned.period} of {planned.table}"):
        dataset.prepare_dataset()
        granularity = partition_granularity(
            table, period_column=planned.period_column, cluster_column=provider.CLUSTER_COLUMN
        )
        partitions = [planned.period.partition_id]
        if granularity == bigquery.TimePartitioningType.DAY:
            partitions = _days_with_rows(dataset, planned)
        for partition in partitions:
            reference = f"{dataset.reference(planned.table)}${partition}"
            client.delete_table(reference, not_found_ok=True)
