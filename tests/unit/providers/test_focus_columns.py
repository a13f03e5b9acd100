"""The types of FOCUS columns in CSV, by the version of Azure's dataset."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudbill.manifests import ColumnType
from cloudbill.providers import azure_focus
from cloudbill.providers.focus_columns import focus_type
from unit.builders import manifest

VERSIONS = ["1.0-preview(v1)", "1.0", "1.0r2", "1.2-preview", "1.2"]


@pytest.mark.parametrize("version", [*VERSIONS, "9.9", "", None])
@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("BilledCost", ColumnType.DECIMAL),
        ("x_BilledUnitPrice", ColumnType.DECIMAL),
        ("ChargePeriodStart", ColumnType.TIMESTAMP),
        ("x_ServicePeriodEnd", ColumnType.TIMESTAMP),
        ("x_SkuIsCreditEligible", ColumnType.BOOLEAN),
        ("BillingAccountId", ColumnType.STRING),
        ("Tags", ColumnType.STRING),
        ("billedcost", ColumnType.DECIMAL),
        ("NewInSomeVersion", ColumnType.STRING),
        ("", ColumnType.STRING),
    ],
)
def test_type_that_is_the_same_in_every_version(
    column: str, kind: ColumnType, version: str | None
) -> None:
    assert focus_type(column, version) is kind


@pytest.mark.parametrize(
    ("column", "first", "later"),
    [
        ("x_PartnerCreditRate", ColumnType.DECIMAL, ColumnType.STRING),
        ("x_PartnerCreditApplied", ColumnType.BOOLEAN, ColumnType.STRING),
    ],
)
def test_type_that_changed_after_the_first_version(
    column: str, first: ColumnType, later: ColumnType
) -> None:
    assert focus_type(column, VERSIONS[0]) is first
    assert {focus_type(column, version) for version in [*VERSIONS[1:], "9.9", None]} == {later}


@pytest.mark.parametrize("version", ["1.0-preview (v1)", "1.0-Preview(V1)", " 1.0-preview ( v1 )"])
def test_a_version_is_the_same_however_it_is_spaced(version: str) -> None:
    assert focus_type("x_PartnerCreditRate", version) is ColumnType.DECIMAL


def test_provider_takes_the_version_from_the_manifest() -> None:
    described = replace(manifest(), data_version=VERSIONS[0])

    assert azure_focus.column_type("x_PartnerCreditRate", described) is ColumnType.DECIMAL
    assert azure_focus.column_type("x_PartnerCreditRate", manifest()) is ColumnType.STRING


def test_header_is_the_name() -> None:
    assert azure_focus.column_name("x_SkuDetails") == "x_SkuDetails"
