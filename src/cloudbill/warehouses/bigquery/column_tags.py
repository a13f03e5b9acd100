"""Policy tags and data policies of columns: a table keeps them, a staging table has none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudbill.warehouses.bigquery.tables import changed

if TYPE_CHECKING:
    from google.cloud import bigquery

__all__ = ["is_tagged", "untagged"]


def is_tagged(field: bigquery.SchemaField) -> bool:
    """Whether a column has policy tags, or data policies of its own (TableFieldSchema)."""
    return bool(field.policy_tags or field.data_policies)


def untagged(schema: Iterable[bigquery.SchemaField]) -> list[bigquery.SchemaField]:
    """The same fields without policy tags and data policies."""
    return [
        changed(one, policyTags=None, dataPolicies=None) if is_tagged(one) else one
        for one in schema
    ]
