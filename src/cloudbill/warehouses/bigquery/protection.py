"""What protects a table: policies of rows and columns, which WRITE_TRUNCATE takes away.

Sources: BigQuery, "Introduction to BigQuery row-level security" (implicit deletion), "Use row-level
security with other BigQuery features" (the TRUE filter), "Impact on writes from column-level access
control".
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api

from cloudbill.errors import BytesLimitError, LoadError
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.column_tags import is_tagged
from cloudbill.warehouses.bigquery.full_access import fault_of_deleting, hidden_rows
from cloudbill.warehouses.bigquery.parameters import charges_of, month_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.cloud import bigquery

    from cloudbill.periods import BillingPeriod
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["LIST", "Protection", "Protections"]

_log = logging.getLogger(__name__)

LIST: Final = "bigquery.rowAccessPolicies.list"
"""The permission to list row access policies; roles/bigquery.dataEditor lacks it."""
_COUNTED_AGAIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a table has, and what of it the account may do; true if there is anything."""

    policies: tuple[str, ...] | None = ()
    """The names of its row access policies; None where the account may not list them."""
    is_filtered: bool = False
    """Whether there are row access policies, be they listed or not."""
    tagged: tuple[str, ...] = ()
    """The columns that have policy tags, or data policies of their own."""
    hidden: str | None = None
    """What to say if the account does not see all rows, or may not change them."""
    unreadable: str | None = None
    """What BigQuery says if the account may not read a tagged column that a load sums."""

    def __bool__(self) -> bool:
        return self.is_filtered or bool(self.tagged)

    def require_replaceable(self) -> None:
        """Refuses to replace a month, before anything is read or staged for it.

        Raises:
            LoadError: If the account does not see or may not change all rows, or may not read what
                it has to sum.
        """
        for fault in (self.hidden, self.unreadable):
            if fault is not None:
                raise LoadError(f"{fault} The month was not changed", is_of_run=False)


class Protections:
    """Finds what protects the tables of a dataset, once for each table."""

    def __init__(self, client: PersistentClient, dataset: Dataset, period_column: str) -> None:
        self._client = client
        self._dataset = dataset
        self._period_column = period_column
        self._finding = threading.Lock()
        self._found: dict[str, Protection] = {}

    def of(self, table: bigquery.Table, period: BillingPeriod) -> Protection:
        """What protects a table; `period` is a month whose rows may be counted.

        One request where there are no policies. A query counts the rows that the account sees where
        there are some. Where the account may not list them, a query over the smallest month that
        has rows says whether it was filtered.

        Raises:
            LoadError: If BigQuery does not answer.
        """
        name = str(table.table_id)
        with self._finding:
            if name not in self._found:
                self._found[name] = self._find(table, period)
                _tell_of(self._found[name], name)
            return self._found[name]

    def _find(self, table: bigquery.Table, period: BillingPeriod) -> Protection:
        tagged = tuple(str(one.name) for one in table.schema if is_tagged(one))
        try:
            with bigquery_errors(f"Listing the row access policies of {table.table_id}"):
                policies: tuple[str, ...] | None = tuple(self._client.row_access_policies(table))
        except LoadError as error:
            if not isinstance(error.__cause__, api.Forbidden):
                raise
            policies = None
        found = Protection(policies=policies, is_filtered=bool(policies), tagged=tagged)
        if policies is None or policies:
            found = self._counted(found, table, period)
        if found.is_filtered and found.hidden is None:
            where = self._dataset.location
            column = self._period_column
            fault = fault_of_deleting(self._client, table, period, column, location=where)
            found = replace(found, hidden=fault)
        unreadable = self._fault_of_reading(table, period) if tagged else None
        return replace(found, unreadable=unreadable)

    def _counted(
        self, found: Protection, table: bigquery.Table, period: BillingPeriod
    ) -> Protection:
        """What is found, and whether the account sees all rows of a month that has any."""
        listed = self._listed(table)
        if not found.policies and not self._are_filtered(table, listed, period):
            return found
        found = replace(found, is_filtered=True)
        if not listed.get(period) and listed:
            period = max(listed)
        seen, _ = self.count(table, period)
        # Another process may replace the month between the two counts.
        for _ in range(_COUNTED_AGAIN):
            if seen >= listed.get(period, 0):
                return found
            listed = self._listed(table)
            seen, _ = self.count(table, period)
        return replace(found, hidden=hidden_rows(table, period, seen, listed.get(period, 0)))

    def _are_filtered(
        self, table: bigquery.Table, listed: Mapping[BillingPeriod, int], period: BillingPeriod
    ) -> bool:
        """Whether a query over the table says that a policy filters it.

        Asked of the smallest month that has rows, which bills least. Where not even that is within
        the limit of what a query may bill, the question is of a month without rows: a load of a
        plain table bills nothing, so no limit is a reason to refuse it.
        """
        smallest = min(listed, key=lambda month: (listed[month], month), default=period)
        try:
            return self.count(table, smallest)[1]
        except BytesLimitError:
            return self.count(table, max(listed, default=period).next)[1]

    def _listed(self, table: bigquery.Table) -> dict[BillingPeriod, int]:
        months = self._dataset.table_months(str(table.table_id)).months
        return {period: month.rows for period, month in months.items() if month.rows}

    def count(self, table: bigquery.Table, period: BillingPeriod) -> tuple[int, bool]:
        """The rows of a month that the account sees, and whether there are row access policies."""
        column = self._period_column
        statement = BIGQUERY.compose(
            "SELECT COUNT(*) FROM {table} WHERE {where}",
            table=rows_of(table),
            where=BIGQUERY.in_month(column),
        )
        month = month_of(period, charges_of(table), column)
        config = self._dataset.query_config(month, use_query_cache=False)
        with bigquery_errors(f"Counting the rows of {table.table_id} that this account sees"):
            job = self._client.query(
                statement.text, job_config=config, location=self._dataset.location
            )
            ((rows,),) = [row.values() for row in job.result()]
            return int(rows), self._client.are_rows_filtered(job)

    def _fault_of_reading(self, table: bigquery.Table, period: BillingPeriod) -> str | None:
        """What BigQuery says against the sums of a load; a dry run reads nothing and is free.

        A load sums nothing that would bill more than it may.
        """
        statement, parameters = self._dataset.sums_of_month(table, period)
        config = self._dataset.query_config(parameters, dry_run=True)
        try:
            with bigquery_errors(f"A dry run of the sums of {table.table_id}"):
                self._client.query(
                    statement.text, job_config=config, location=self._dataset.location
                )
        except BytesLimitError:
            return None
        except LoadError as error:
            if not isinstance(error.__cause__, api.Forbidden):
                raise
            return f"{error}."
        return None


def _tell_of(found: Protection, name: str) -> None:
    if found:
        _log.info(
            "%s has row access policies, policy tags or data policies, so its months are replaced "
            "by a transaction, which keeps them and bills the bytes it reads",
            name,
        )
