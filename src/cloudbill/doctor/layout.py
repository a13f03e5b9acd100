"""Checks the partitions and the column types of a table, by the rules of a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudbill.doctor.check import Check
from cloudbill.errors import LoadError, SchemaError, StoreError
from cloudbill.warehouses.bigquery.incoming import columns_of_first_part
from cloudbill.warehouses.bigquery.tables import (
    documented_columns,
    fit_into,
    partition_granularity,
    require_table,
)

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.manifests import Manifest
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["check_layout"]

_OF_A_LOAD: Final = "The month was not changed. "


def check_layout(
    settings: SourceSettings, table: bigquery.Table, newest: tuple[Store, Manifest] | None
) -> Check:
    """Whether a table takes the newest run or, if there is none, what is documented of costs."""
    subject = f"{settings.source}: table"
    provider = settings.provider
    try:
        require_table(table)
        granularity = partition_granularity(
            table,
            period_column=provider.PERIOD_COLUMN,
            cluster_column=provider.CLUSTER_COLUMN,
        )
    except LoadError as error:
        return Check(subject=subject, found=f"A load is refused. {error}", remedy="")
    try:
        _require_fit(settings, table, newest)
    except SchemaError as error:
        found = str(error).replace(_OF_A_LOAD, "")
        return Check(subject=subject, found=f"A load is refused. {found}", remedy="")
    clustered = ", ".join(table.clustering_fields or ()) or "nothing"
    return Check(
        subject=subject,
        found=f"{table.table_id} is partitioned by {granularity} of "
        f"{table.time_partitioning.field}, and clustered by {clustered}",
    )


def _require_fit(
    settings: SourceSettings, table: bigquery.Table, newest: tuple[Store, Manifest] | None
) -> None:
    provider = settings.provider
    columns = None
    if newest is not None:
        store, manifest = newest
        try:
            columns = columns_of_first_part(store, manifest, provider, table.schema)
        except SchemaError:
            raise
        except (LoadError, StoreError):  # the checks of the store say so, or the load does
            pass
        else:
            fit_into(table, columns, provider, manifest)
    if columns is None:
        fit_into(table, documented_columns(table, provider), provider, None)
