"""A table that demands a filter of its partitions takes every form of a bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from contract.aws_deliveries import AwsFocusWriter, Cur2Writer
from contract.deliveries import AwsWriter, AzureWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case, GcsAndBigQuery
from contract.protected import allow, verdicts

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

FIRST = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2.5"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="first",
)
SECOND = replace(
    FIRST,
    charges=charges("2025-10", "1", "2.5", "4"),
    submitted_at=at("2025-10-31 04:00"),
    run_id="second",
)


@pytest.fixture
def place(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> GcsAndBigQuery:
    """BigQuery alone."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return GcsAndBigQuery(cloud)


@pytest.mark.parametrize("is_protected", [False, True], ids=["plain", "with a policy"])
@pytest.mark.parametrize("writer", [AzureWriter, AwsWriter, Cur2Writer, AwsFocusWriter])
def test_a_month_is_replaced_and_verified(
    make: Callable[[Any], Case],
    client: bq.Client,
    writer: Callable[[], Any],
    *,
    is_protected: bool,
) -> None:
    case = make(writer())
    case.deliver(FIRST)
    assert case.load().exit_code == 0
    table = client.get_table(f"{PROJECT}.{DATASET}.bill")
    table.require_partition_filter = True
    client.update_table(table, ["require_partition_filter"])
    if is_protected:
        allow(client)
    case.deliver(SECOND)
    assert case.load().exit_code == 0
    assert {str(one) for one in verdicts(case)} == {"equal"}
    table = client.get_table(table.reference)
    assert table.require_partition_filter
    table.require_partition_filter = False
    client.update_table(table, ["require_partition_filter"])
    assert case.held() == list(SECOND.charges)
