"""Columns of decimals that would round a bill are named, with the statement that mends them."""

from __future__ import annotations

import pytest
from google.cloud import bigquery as bq

from cloudbill.manifests import Column, ColumnType
from cloudbill.warehouses.bigquery.narrow_amounts import narrow_amounts

COST = (Column(name="Cost", target="Cost", type=ColumnType.DECIMAL),)


def told(kind: str, precision: int | None, scale: int | None, mode: str = "NULLABLE") -> str | None:
    """What is said of a column of that type."""
    digits = {"precision": precision, "scale": scale}
    stated = {name: str(value) for name, value in digits.items() if value is not None}
    field = bq.SchemaField.from_api_repr({"name": "cost", "type": kind, "mode": mode, **stated})
    return narrow_amounts(bq.Table("acme.finops.bill", schema=[field]), COST)


@pytest.mark.parametrize(
    ("kind", "precision", "scale", "shown"),
    [
        ("NUMERIC", None, None, "NUMERIC"),
        ("DECIMAL", None, None, "DECIMAL"),
        ("NUMERIC", 38, 9, "NUMERIC(38, 9)"),
        ("BIGNUMERIC", 38, 2, "BIGNUMERIC(38, 2)"),
        ("BIGDECIMAL", 30, 18, "BIGDECIMAL(30, 18)"),
        ("BIGNUMERIC", 20, None, "BIGNUMERIC(20, 0)"),
    ],
)
def test_a_column_that_would_round_is_named_with_its_type(
    kind: str, precision: int | None, scale: int | None, shown: str
) -> None:
    said = told(kind, precision, scale)
    assert said is not None
    assert said.startswith(f"cost of bill is {shown}, which would round the bill. ")
    assert "ALTER COLUMN `cost` SET DATA TYPE BIGNUMERIC`" in said


@pytest.mark.parametrize(
    ("kind", "precision", "scale"),
    [("BIGNUMERIC", None, None), ("BIGNUMERIC", 38, 18), ("BIGDECIMAL", 76, 38)],
)
def test_a_column_with_room_is_fine(kind: str, precision: int | None, scale: int | None) -> None:
    assert told(kind, precision, scale) is None


def test_a_repeated_column_is_another_matter() -> None:
    assert told("NUMERIC", None, None, mode="REPEATED") is None
