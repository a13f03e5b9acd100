"""Checks what BigQuery will delete by itself: months of the table, and whole tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudbill.doctor.check import Check
from cloudbill.settings.tables import tracking_name
from cloudbill.text.counts import counted
from cloudbill.warehouses.bigquery.expirations import (
    BILLING,
    days_kept,
    keep_whole_statement,
    set_days_statement,
)
from cloudbill.warehouses.ledger_rows import STATE_TABLE

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["check_expirations"]


def check_expirations(
    dataset: Dataset, settings: SourceSettings, table: bigquery.Table
) -> Iterator[Check]:
    """What expires of a table and its ledger without being meant to; nothing if all is kept."""
    subject = f"{settings.source}: expiration"
    wanted, days = settings.partition_expiration_days, days_kept(table)
    if days != wanted:
        kept = (
            "keeps all months"
            if days is None
            else f"deletes months after {counted(days, 'day', 'g')}"
        )
        meant = "is not set" if wanted is None else f"is {wanted}"
        yield Check(
            subject=subject,
            found=f"{table.table_id} {kept}, but 'partition_expiration_days' {meant}",
            remedy=f"{set_days_statement(table, wanted)}; {BILLING}",
        )
    ledger = (STATE_TABLE, tracking_name(settings.table_name))
    for one in (table, *map(dataset.find_table, ledger)):
        if one is not None and one.expires is not None:
            yield Check(
                subject=subject,
                found=f"BigQuery deletes the whole of {one.table_id} on {one.expires:%Y-%m-%d}",
                remedy=f"{keep_whole_statement(one)}; {BILLING}",
            )
