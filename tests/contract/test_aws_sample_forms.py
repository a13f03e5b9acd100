"""The sample bill of AWS in every form that AWS delivers: the same charges, to the last digit."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudbill.costs.cube import CubeRequest, Dimension
from cloudbill.loading.outcome import Outcome
from cloudbill.looking.verification import verify_source
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.providers.roles import CostKind
from cloudbill.sample import AwsForm, WrittenRun, write_aws
from cloudbill.settings import SourceSettings, read_source
from cloudbill.warehouses import open_warehouse

pytestmark = pytest.mark.long

REPORTS = (AwsForm.ZIP, AwsForm.PARQUET, AwsForm.ATHENA)
CUR2 = (AwsForm.CUR2_PARQUET, AwsForm.CUR2_CSV)
FOCUS = (AwsForm.FOCUS_1_0, AwsForm.FOCUS_1_0_CSV, AwsForm.FOCUS_1_2, AwsForm.FOCUS_1_2_CSV)

MERGED = {"resource_tags_user_name", "resource_tags_user_name_2"}
"""AWS merges these two columns in Parquet, because only case tells their tags apart."""
IN_MAPS = ("product_", "resource_tags_", "cost_category_", "discount_edp_discount")
"""CUR 2.0 has these columns as keys of maps, but for a few products."""
NEW_IN_1_0 = {"x_CostCategories", "x_UsageType"}
"""What FOCUS 1.0 has of AWS, and 1.2 has not."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Loaded:
    """A form that was written and loaded."""

    written: WrittenRun
    settings: SourceSettings
    outcome: Outcome
    rows: Rows

    @property
    def totals(self) -> Mapping[str, Decimal]:
        """What the load summed."""
        (result,) = self.outcome.results
        return result.totals["USD"]

    def sum_of(self, kind: CostKind) -> Decimal:
        """A cost of the month, as the report sums it."""
        measures = {"cost": self.settings.provider.ROLES.costs[kind]}
        request = CubeRequest(dimensions=(Dimension.CURRENCY,), measures=measures)
        with contextlib.closing(open_warehouse(self.settings.warehouse)) as warehouse:
            (cell,) = warehouse.cost_cube(self.settings.table_name, request).cells
        (amount,) = cell.amounts
        assert amount is not None
        return amount


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[AwsForm, Loaded]]:
    """September in every form, in a table for each of them."""
    folder = tmp_path_factory.mktemp("forms")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        Container()[PluggableRunContext].reload(str(folder))
        yield {form: load(form, folder) for form in AwsForm}


def load(form: AwsForm, folder: Path) -> Loaded:
    """Writes and loads one form. A plan was returned in September, and the month is closed."""
    (written,) = write_aws(
        folder / form,
        months=1,
        rows=130,
        seed=1,
        last=(2025, 9),
        open_month=False,
        runs_per_month=1,
        form=form,
        # What is drawn for a run goes by its name.
        report_name="bill",
        prefix="bills",
    )
    provider = PROVIDERS[written.provider]
    given = {
        "bucket": str(folder / form),
        "prefix": "bills",
        "export_name": "bill",
        "table_name": form.name.lower(),
        "database": str(folder / "bills.duckdb"),
        "dataset": "finops",
    }
    settings = read_source(provider.SECTION, provider, [], given)
    outcome = load_source(settings, Selection(), lambda _: None)
    with contextlib.closing(duckdb.connect(str(folder / "bills.duckdb"))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f'FROM finops."{settings.table_name}"')
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    return Loaded(written, settings, outcome, rows)


def only(rows: Rows, columns: set[str]) -> list[tuple[str, ...]]:
    """The rows without their order, as far as some columns go."""
    return sorted(tuple(repr(row[name]) for name in sorted(columns)) for row in rows)


@pytest.mark.parametrize("form", AwsForm)
def test_a_form_loads_once_with_the_totals_that_were_written_and_is_equal_to_its_files(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    one = loaded[form]
    assert one.outcome.exit_code == 0
    assert len(one.rows) == one.written.rows > 100
    written = list(one.written.totals["USD"].values())
    names = one.settings.provider.COST_COLUMNS
    assert sorted(one.totals[name] for name in names) == sorted(written)
    again = load_source(one.settings, Selection(), lambda _: None)
    assert (again.exit_code, again.results) == (0, ())
    assert verify_source(one.settings, frozenset(), lambda _: None).exit_code(strict=True) == 0


@pytest.mark.parametrize("form", [*REPORTS, *CUR2])
def test_reports_and_cur_2_have_the_same_totals_to_the_last_digit(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    assert loaded[form].totals == loaded[AwsForm.CSV].totals
    for kind in (CostKind.BILLED, CostKind.EFFECTIVE, CostKind.LIST):
        assert loaded[form].sum_of(kind) == loaded[AwsForm.CSV].sum_of(kind)


@pytest.mark.parametrize("form", FOCUS)
def test_focus_bills_what_the_report_bills_and_its_effective_cost_is_the_amortized_one(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    report, focus = loaded[AwsForm.CSV], loaded[form]
    billed, effective = focus.sum_of(CostKind.BILLED), focus.sum_of(CostKind.EFFECTIVE)
    assert billed == report.totals["line_item_unblended_cost"]
    assert effective == report.sum_of(CostKind.EFFECTIVE)
    assert billed != effective
    used = [row for row in focus.rows if row["CommitmentDiscountStatus"] == "Used"]
    unused = [row for row in focus.rows if row["CommitmentDiscountStatus"] == "Unused"]
    assert sum(row["EffectiveCost"] for row in unused) > 0
    for purchased in ("SavingsPlanRecurringFee", "RIFee"):
        fees = [row for row in report.rows if row["line_item_line_item_type"] == purchased]
        (arn,) = {
            row["savings_plan_savings_plan_a_r_n"] or row["reservation_reservation_a_r_n"]
            for row in fees
        }
        paid = sum(
            row["line_item_unblended_cost"]
            + (row["reservation_amortized_upfront_fee_for_billing_period"] or 0)
            for row in fees
        )
        of_it = [row for row in used + unused if row["CommitmentDiscountId"] == arn]
        assert sum(row["EffectiveCost"] for row in of_it) == paid


@pytest.mark.parametrize("form", FOCUS)
def test_the_charges_of_focus_keep_its_rules_for_money(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    rows = loaded[form].rows
    for row in rows:
        if row["CommitmentDiscountStatus"] is not None:
            assert (row["ChargeCategory"], row["BilledCost"]) == ("Usage", 0)
        if row["ChargeCategory"] == "Purchase":
            assert row["ChargeFrequency"] != "Usage-Based"
        if row["ChargeCategory"] == "Purchase" and row["CommitmentDiscountId"]:
            assert row["EffectiveCost"] == 0
        if row["ListUnitPrice"] is not None:
            list_cost = row["ListUnitPrice"] * row["PricingQuantity"]
            assert abs(list_cost - row["ListCost"]) <= Decimal("1E-10")
        if row["ContractedUnitPrice"] is not None:
            contracted = row["ContractedUnitPrice"] * row["PricingQuantity"]
            assert abs(contracted - row["ContractedCost"]) <= Decimal("1E-10")
        if row["CommitmentDiscountStatus"] == "Unused":
            assert row["ConsumedQuantity"] is None
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Purchase", "Tax", "Credit"}
    assert {row["ChargeClass"] for row in rows} == {None, "Correction"}


@pytest.mark.parametrize("form", REPORTS)
def test_reports_have_the_same_rows_but_for_columns_that_aws_merges(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    report, other = loaded[AwsForm.CSV], loaded[form]
    different = set() if form is AwsForm.ZIP else MERGED
    columns = {*report.rows[0]} - different
    assert columns == {*other.rows[0]} - different
    assert only(other.rows, columns) == only(report.rows, columns)
    if different:
        merged = [row["resource_tags_user_name"] for row in other.rows]
        both = [[row[name] for name in sorted(MERGED)] for row in report.rows]
        assert sorted(filter(None, merged)) == sorted(filter(None, (a or b for a, b in both)))


@pytest.mark.parametrize("form", CUR2)
def test_cur_2_has_the_same_rows_but_for_what_is_in_its_maps(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    report, other = loaded[AwsForm.CSV], loaded[form]
    shared = {*report.rows[0]} & {*other.rows[0]}
    missing = {*report.rows[0]} - shared
    assert [name for name in missing if not name.startswith(IN_MAPS)] == []
    assert only(other.rows, shared) == only(report.rows, shared)
    by_id = {row["identity_line_item_id"]: row for row in report.rows}
    for row in other.rows:
        line = by_id[row["identity_line_item_id"]]
        product = json.loads(row["product"])
        for key, value in product.items():
            assert line[f"product_{key}"] == value
        present = [name for name in missing if name.startswith("product_") and line[name]]
        assert {name.removeprefix("product_") for name in present} == {*product}
        names = [line[name] for name in sorted(MERGED)]
        tags = json.loads(row["resource_tags"])
        assert sorted(filter(None, names)) == sorted(
            tags[key] for key in ("user_Name", "user_name") if key in tags
        )


def test_parquet_and_csv_of_a_data_export_have_the_same_rows_in_every_column(
    loaded: Mapping[AwsForm, Loaded],
) -> None:
    for parquet, text in (CUR2, FOCUS[:2], FOCUS[2:]):
        columns = {*loaded[parquet].rows[0]}
        assert columns == {*loaded[text].rows[0]}
        assert only(loaded[parquet].rows, columns) == only(loaded[text].rows, columns)


def test_focus_1_2_has_what_1_0_has_but_for_two_columns(
    loaded: Mapping[AwsForm, Loaded],
) -> None:
    old, new = loaded[AwsForm.FOCUS_1_0].rows, loaded[AwsForm.FOCUS_1_2].rows
    assert (len(old[0]), len(new[0])) == (48, 60)
    assert {*old[0]} - {*new[0]} == NEW_IN_1_0
    shared = {*old[0]} - NEW_IN_1_0
    assert only(old, shared) == only(new, shared)


def test_maps_hold_keys_that_differ_by_case_and_quotes_newlines_and_signs(
    loaded: Mapping[AwsForm, Loaded],
) -> None:
    for form in FOCUS:
        tags = [json.loads(row["Tags"]) for row in loaded[form].rows]
        keys = {key for one in tags for key in one}
        assert {"user:Name", "user:name"} <= keys
        notes = {one["user:notes"] for one in tags if "user:notes" in one}
        assert 'first line\nsecond, "quoted" line' in notes
        assert any("🦊" in note for note in notes)
        discounts = [json.loads(row["x_Discounts"]) for row in loaded[form].rows]
        assert any(one.get("PrivateRateDiscount", 0) < 0 for one in discounts)
