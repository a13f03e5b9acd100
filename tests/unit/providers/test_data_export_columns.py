"""The types of columns of Data Exports: AWS's dictionary, then the manifest, then text."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from cloudbill.manifests import ColumnType, Manifest
from cloudbill.providers import aws_cur, aws_focus
from unit.builders import encoded, stored

CUR = (("bill_billing_period_start_date", "timestamp"), ("line_item_unblended_cost", "double"))
FOCUS = (("BillingPeriodStart", "timestamp_milliseconds"), ("BilledCost", "double"))


def read(*columns: tuple[str, str | None], provider: Any = aws_cur) -> Manifest:
    """The manifest of an export of these columns, beside those that every one has."""
    every = [*(CUR if provider is aws_cur else FOCUS), *columns]
    path = "pre/x/metadata/BILLING_PERIOD=2025-10/x-Manifest.json"
    document = {
        "executionId": "e-1",
        "columns": [{"name": name, "type": kind} for name, kind in dict(every).items()],
        "dataFiles": ["s3://b/pre/x/data/BILLING_PERIOD=2025-10/x-00001.csv.gz"],
    }
    found = provider.read_manifest(
        encoded(document), stored=stored(path), root="pre/x/", export="x", listing={}
    )
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize("stated", ["string", "DateTime", "timestamp", "double", "odd", None])
@pytest.mark.parametrize(
    ("provider", "name", "kind"),
    [
        (aws_cur, "bill_billing_period_start_date", ColumnType.TIMESTAMP),
        (aws_cur, "line_item_usage_end_date", ColumnType.TIMESTAMP),
        (aws_cur, "line_item_unblended_cost", ColumnType.DECIMAL),
        (aws_cur, "resource_tags", ColumnType.JSON),
        (aws_focus, "ChargePeriodStart", ColumnType.TIMESTAMP),
        (aws_focus, "BilledCost", ColumnType.DECIMAL),
        (aws_focus, "Tags", ColumnType.JSON),
    ],
)
def test_a_documented_column_has_its_documented_type_whatever_the_manifest_states(
    provider: ModuleType, name: str, kind: ColumnType, stated: str | None
) -> None:
    found = read((name, stated), provider=provider)
    for spelt in (name, name.upper(), name.lower()):
        assert provider.column_type(spelt, found) is kind


@pytest.mark.parametrize("provider", [aws_cur, aws_focus])
@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("string", ColumnType.STRING),
        ("varchar(10)", ColumnType.STRING),
        ("array<string>", ColumnType.STRING),
        ("bigint", ColumnType.INTEGER),
        ("BIGINT", ColumnType.INTEGER),
        ("int", ColumnType.INTEGER),
        ("int64", ColumnType.INTEGER),
        ("integer", ColumnType.INTEGER),
        ("decimal(38,9)", ColumnType.DECIMAL),
        ("decimal (38, 9)", ColumnType.DECIMAL),
        ("OptionalBigDecimal", ColumnType.DECIMAL),
        ("double", ColumnType.DECIMAL),
        ("float", ColumnType.DECIMAL),
        ("DateTime", ColumnType.TIMESTAMP),
        ("timestamp", ColumnType.TIMESTAMP),
        ("timestamp_milliseconds", ColumnType.TIMESTAMP),
        ("timestamp with time zone", ColumnType.TIMESTAMP),
        ("date", ColumnType.DATE),
        ("boolean", ColumnType.BOOLEAN),
        ("map<string,double>", ColumnType.JSON),
        ("map <string, string>", ColumnType.JSON),
        ("struct<a:string>", ColumnType.JSON),
        ("?", ColumnType.STRING),
    ],
)
def test_an_unknown_column_has_the_type_that_the_manifest_states(
    provider: ModuleType, stated: str, kind: ColumnType
) -> None:
    found = read(("myQty", stated), provider=provider)

    assert provider.column_type("myQty", found) is kind
    assert provider.column_type("MYQTY", found) is kind
    assert provider.column_type("other", found) is ColumnType.STRING
