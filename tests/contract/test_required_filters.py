"""A table that demands a filter of its partitions takes every form of a bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from contract.aws_deliveries import AwsFocusWriter, Cur2Writer
from contract.deliveries import AwsWriter, AzureWriter
from contract.places import DATASET, PROJECT, Case
from contract.protected import NEW, OLD, allow, verdicts

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

WAYS = (("azure parquet", "bigquery"),)


# The first two are loaded by one job, and the others converted by SQL.
@pytest.mark.parametrize(
    ("writer", "is_protected"),
    [(AzureWriter, False), (AwsWriter, True), (Cur2Writer, False), (AwsFocusWriter, True)],
    ids=["azure", "aws with a policy", "cur2", "focus of aws with a policy"],
)
def test_a_month_is_replaced_and_verified(
    case: Case,
    client: bq.Client,
    writer: Callable[[], Any],
    *,
    is_protected: bool,
) -> None:
    case = replace(case, writer=writer())
    case.deliver(OLD)
    assert case.load().exit_code == 0
    table = client.get_table(f"{PROJECT}.{DATASET}.bill")
    table.require_partition_filter = True
    client.update_table(table, ["require_partition_filter"])
    if is_protected:
        allow(client)
    case.deliver(NEW)
    assert case.load().exit_code == 0
    assert {str(one) for one in verdicts(case)} == {"equal"}
    table = client.get_table(table.reference)
    assert table.require_partition_filter
    table.require_partition_filter = False
    client.update_table(table, ["require_partition_filter"])
    assert case.held() == list(NEW.charges)
