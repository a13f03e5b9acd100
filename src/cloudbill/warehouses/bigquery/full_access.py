"""Whether an account may change all rows of a table that has row access policies.

To see all rows is not enough: a statement that changes a table needs a policy with the filter TRUE
("Using row-level security with other BigQuery features", the TRUE filter).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.errors import LoadError
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.client import bigquery_errors
from cloudbill.warehouses.bigquery.parameters import deletion_of
from cloudbill.warehouses.bigquery.tables import path_of

if TYPE_CHECKING:
    from cloudbill.periods import BillingPeriod
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = ["fault_of_deleting", "full_access_statement", "hidden_rows"]

# github.com/cal-itp/data-infra/issues/5142: "User does not have full access for table ... due to
# row access policies".
_OF_POLICIES: Final = re.compile(r"row[- ](level[- ])?access polic", re.IGNORECASE)
_ADVICE: Final = "Let an owner of the data run, with the account that loads:"


def fault_of_deleting(
    client: PersistentClient,
    table: bigquery.Table,
    period: BillingPeriod,
    period_column: str,
    *,
    location: str | None,
) -> str | None:
    """What is said if the account sees all rows and may not delete them; None if it may.

    A dry run deletes nothing and is free. Whatever else it refuses, other checks say.

    Raises:
        LoadError: If BigQuery does not answer.
    """
    statement, month = deletion_of(table, period, period_column)
    config = bigquery.QueryJobConfig(query_parameters=list(month), dry_run=True)
    try:
        with bigquery_errors(f"A dry run of deleting {period} of {table.table_id}"):
            client.query(statement.text, job_config=config, location=location)
    except LoadError as error:
        if not isinstance(error.__cause__, api.Forbidden):
            raise
        if _OF_POLICIES.search(str(error.__cause__)):
            return (
                f"This account sees all rows of {table.dataset_id}.{table.table_id} now, but no "
                "policy with the filter TRUE lets it change them, which replacing a month needs. "
                f"{_ADVICE}\n  {full_access_statement(table)}\n"
            )
    return None


def hidden_rows(table: bigquery.Table, period: BillingPeriod, seen: int, listed: int) -> str:
    """What is said of rows that an account does not see, and how it is mended."""
    return (
        f"A row access policy hides rows of {table.dataset_id}.{table.table_id} from this account: "
        f"of {period} it sees {seen} of {listed}. To replace, sum or report a month it has to see "
        f"them all. {_ADVICE}\n  {full_access_statement(table)}\n"
    )


def full_access_statement(table: bigquery.Table) -> str:
    """The statement that lets an account see all rows of a table that has policies."""
    return BIGQUERY.compose(
        "CREATE ROW ACCESS POLICY {name} ON {table} GRANT TO ({who}) FILTER USING (TRUE)",
        name="cloudbill_sees_all_rows",
        table=path_of(table),
        who=Fragment("'serviceAccount:ACCOUNT'"),
    ).text
