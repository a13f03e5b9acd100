"""What an account may be shown otherwise than a table holds: fewer rows, or masked amounts.

A query says that rows were filtered. Of masked values nothing says anything ("Introduction to data
masking": a default value or NULL), so where sums differ, it can only be said that they may be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from cloudbill.errors import LoadError
from cloudbill.models import TableRows
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.bigquery.column_tags import is_tagged
from cloudbill.warehouses.bigquery.full_access import hidden_rows

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.protection import Protections

__all__ = ["Visibility", "doubt_of_columns", "masking_doubt"]


def masking_doubt(columns: Sequence[str]) -> str:
    """What is said of columns with policy tags or data policies whose values may be masked."""
    return (
        f"If this account is a masked reader of {', '.join(columns)}, it sees 0 or NULL there, and "
        "nothing tells: let it read them as they are (roles/datacatalog.categoryFineGrainedReader "
        "for policy tags, roles/bigquerydatapolicy.rawDataReader for data policies)"
    )


def doubt_of_columns(table: bigquery.Table, columns: Collection[str]) -> str | None:
    """The same of those of the columns that have any, in any case of letters; None if none has."""
    names = {column.lower() for column in columns}
    tagged = [
        str(one.name) for one in table.schema if is_tagged(one) and str(one.name).lower() in names
    ]
    return masking_doubt(tagged) if tagged else None


class Visibility:
    """Compares the rows that a query counted with those that the partitions had.

    It asks nothing as long as they agree. No policy filters the metadata of partitions, as far as
    is documented; nobody has seen that on the service.
    """

    def __init__(self, dataset: Dataset, protections: Protections) -> None:
        self._dataset = dataset
        self._protections = protections
        self._listed: dict[str, Mapping[BillingPeriod, int]] = {}

    def doubt(self, table: str, columns: Collection[str]) -> str | None:
        """Why the values of some columns may be others than those that the table holds, or None.

        Raises:
            LoadError: If the table cannot be read.
        """
        found = self._dataset.find_table(table)
        return None if found is None else doubt_of_columns(found, columns)

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
