"""Notices that a row access policy hides rows from the account, before fewer rows are an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudbill.errors import LoadError
from cloudbill.models import TableRows
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.bigquery.full_access import hidden_rows

if TYPE_CHECKING:
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.protection import Protections

__all__ = ["Visibility"]


class Visibility:
    """Compares the rows that a query counted with those that the partitions had.

    It asks nothing as long as they agree. No policy filters the metadata of partitions, as far as
    is documented; nobody has seen that on the service.
    """

    def __init__(self, dataset: Dataset, protections: Protections) -> None:
        self._dataset = dataset
        self._protections = protections
        self._listed: dict[str, Mapping[BillingPeriod, int]] = {}

    def note(self, table: str, found: TableRows) -> None:
        """Remembers the rows that the partitions of a table have."""
        self._listed[table] = {period: month.rows for period, month in found.months.items()}

    def require_every(self, table: str, counted: Mapping[BillingPeriod, int] | None) -> None:
        """As `require`, of every month that is listed; None is a query that counted none.

        Raises:
            LoadError: If a row access policy hides some.
        """
        if counted is not None:
            months = self._listed.get(table, {})
            self.require(table, {period: counted.get(period, 0) for period in months})

    def require(self, table: str, counted: Mapping[BillingPeriod, int]) -> None:
        """Refuses counts and sums of a month of which the account does not see all rows.

        Raises:
            LoadError: If a row access policy hides some.
        """
        listed = self._listed.get(table, {})
        fewer = [period for period, rows in counted.items() if rows < listed.get(period, 0)]
        found = self._dataset.find_table(table) if fewer else None
        if found is None:
            return
        # It may be that somebody has replaced the month, so the count is made again.
        period = max(fewer)
        seen, is_filtered = self._protections.count(found, period)
        if is_filtered and seen < listed[period]:
            raise LoadError(
                hidden_rows(found, period, seen, listed[period]).rstrip(), is_of_run=False
            )
