"""Checks what protects rows and columns of a table, and whether the account may work with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudbill.doctor.check import Check, failed_check
from cloudbill.errors import LoadError
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.warehouses.bigquery.dataset import Dataset
from cloudbill.warehouses.bigquery.full_access import full_access_statement
from cloudbill.warehouses.bigquery.protection import LIST, Protections
from cloudbill.warehouses.bigquery.visibility import masking_doubt

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.bigquery.client import PersistentClient
    from cloudbill.warehouses.bigquery.protection import Protection

__all__ = ["check_protection"]


def check_protection(
    client: PersistentClient, settings: SourceSettings, table: bigquery.Table
) -> Iterator[Check]:
    """The policies of rows and columns of a table, and what the account lacks."""
    subject = f"{settings.source}: protection"
    dataset = Dataset(client, settings.warehouse)
    protections = Protections(client, dataset, settings.provider.PERIOD_COLUMN)
    try:
        found = protections.of(table, BillingPeriod.of(utc_now()))
    except LoadError as error:
        yield failed_check(subject, error)
        return
    if found.hidden is not None:
        # The text has the statement as well, for whoever meets it in a load.
        text = found.hidden.partition(" Let an owner")[0]
        remedy = f"let an owner of the data run `{full_access_statement(table)}`"
        yield Check(subject=subject, found=text, remedy=remedy)
    if found.unreadable is not None:
        yield Check(subject=subject, found=found.unreadable, remedy="")
    if found.hidden is None and found.unreadable is None:
        yield Check(subject=subject, found=f"{table.table_id} has {_shown(found)}")


def _shown(found: Protection) -> str:
    if found.policies is None:
        some = "row access policies" if found.is_filtered else "no row access policies"
        policies = f"{some}, as a query says (to list them is {LIST})"
    elif found.policies:
        policies = f"row access policies ({', '.join(found.policies)})"
    else:
        policies = "no row access policies"
    tags = "no policy tags or data policies"
    if found.tagged:
        tags = f"policy tags or data policies on {', '.join(found.tagged)}"
    if not found:
        return f"{policies} and {tags}"
    return (
        f"{policies} and {tags}: months are replaced by a transaction, which keeps them and bills "
        "the bytes that it reads" + (f". {masking_doubt(found.tagged)}" if found.tagged else "")
    )
