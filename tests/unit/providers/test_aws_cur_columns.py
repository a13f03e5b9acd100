"""The names and types of the columns of AWS Cost and Usage Reports."""

from __future__ import annotations

import pytest

from cloudbill.manifests import ColumnType
from cloudbill.providers import aws_cur
from unit.providers.aws_manifests import column, document, read


class TestTypes:
    """From the manifest, else as AWS documents the column, else text."""

    @pytest.mark.parametrize(
        ("stated", "kind"),
        [
            ("String", ColumnType.STRING),
            ("OptionalString", ColumnType.STRING),
            ("BigDecimal", ColumnType.DECIMAL),
            ("OptionalBigDecimal", ColumnType.DECIMAL),
            ("DateTime", ColumnType.TIMESTAMP),
            ("OptionalDateTime", ColumnType.TIMESTAMP),
            ("Interval", ColumnType.STRING),
            ("Json", ColumnType.STRING),
            ("Map<String,BigDecimal>", ColumnType.STRING),
        ],
    )
    def test_stated_type_is_taken(self, stated: str, kind: ColumnType) -> None:
        found = read(document(columns=[column("product", "anything", stated)]))

        assert aws_cur.column_type("product/anything", found) is kind

    def test_a_documented_time_is_a_time_whatever_the_manifest_states(self) -> None:
        found = read(document(columns=[column("lineItem", "UsageStartDate", "String")]))

        assert aws_cur.column_type("lineItem/UsageStartDate", found) is ColumnType.TIMESTAMP

    def test_an_amount_is_a_decimal_whatever_the_manifest_states(self) -> None:
        found = read(document(columns=[column("reservation", "UnusedQuantity", "String")]))

        assert aws_cur.column_type("reservation/UnusedQuantity", found) is ColumnType.DECIMAL

    @pytest.mark.parametrize("columns", [None, [], [column("bill", "BillType", "String")]])
    @pytest.mark.parametrize(
        ("header", "kind"),
        [
            ("bill/BillingPeriodStartDate", ColumnType.TIMESTAMP),
            ("lineItem/UsageEndDate", ColumnType.TIMESTAMP),
            ("lineItem/UsageAmount", ColumnType.DECIMAL),
            ("lineItem/NetUnblendedCost", ColumnType.DECIMAL),
            ("pricing/publicOnDemandCost", ColumnType.DECIMAL),
            ("reservation/UnusedNormalizedUnitQuantity", ColumnType.DECIMAL),
            ("savingsPlan/SavingsPlanRate", ColumnType.DECIMAL),
            ("splitLineItem/SplitUsageRatio", ColumnType.DECIMAL),
            ("discount/TotalDiscount", ColumnType.DECIMAL),
            ("line_item_unblended_cost", ColumnType.DECIMAL),
            ("lineItem/UnblendedRate", ColumnType.STRING),
            ("pricing/publicOnDemandRate", ColumnType.STRING),
            ("reservation/StartTime", ColumnType.STRING),
            ("reservation/EndTime", ColumnType.STRING),
            ("savingsPlan/EndTime", ColumnType.STRING),
            ("reservation/UnitsPerReservation", ColumnType.STRING),
            ("reservation/TotalReservedNormalizedUnits", ColumnType.STRING),
            ("reservation/NumberOfReservations", ColumnType.STRING),
            ("bill/PayerAccountId", ColumnType.STRING),
            ("identity/TimeInterval", ColumnType.STRING),
            ("product/ecu", ColumnType.STRING),
            ("resourceTags/user:Cost", ColumnType.STRING),
            ("", ColumnType.STRING),
        ],
    )
    def test_column_that_the_manifest_does_not_list_has_its_documented_type(
        self, columns: list[dict[str, str]] | None, header: str, kind: ColumnType
    ) -> None:
        assert aws_cur.column_type(header, read(document(columns=columns))) is kind

    @pytest.mark.parametrize("kind", [None, "", " "])
    def test_column_without_a_type_has_its_documented_type(self, kind: str | None) -> None:
        columns = [column("lineItem", "BlendedCost", kind), column("product", "sku", kind)]
        found = read(document(columns=columns))

        assert aws_cur.column_type("lineItem/BlendedCost", found) is ColumnType.DECIMAL
        assert aws_cur.column_type("product/sku", found) is ColumnType.STRING

    def test_headers_that_differ_by_case_have_types_of_their_own(self) -> None:
        columns = [column("product", "ecu", "BigDecimal"), column("product", "ECU", "String")]
        found = read(document(columns=columns))

        assert aws_cur.column_type("product/ecu", found) is ColumnType.DECIMAL
        assert aws_cur.column_type("product/ECU", found) is ColumnType.STRING

    def test_column_may_be_listed_twice_and_have_no_category(self) -> None:
        columns = [column(None, "line_item_blended_cost"), column("bill", "BillType", "String")]

        found = read(document(columns=[*columns, *columns])).columns

        assert found is not None
        assert [entry.name for entry in found] == ["line_item_blended_cost", "bill/BillType"]
        assert found[0].type is ColumnType.DECIMAL


class TestNames:
    """AWS's own rule for Athena in a report; a Data Export has the names of its query."""

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("lineItem/UnblendedCost", "line_item_unblended_cost"),
            ("identity/LineItemId", "identity_line_item_id"),
            ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
            ("savingsPlan/SavingsPlanARN", "savings_plan_savings_plan_a_r_n"),
            ("pricing/publicOnDemandCost", "pricing_public_on_demand_cost"),
            ("product/ecu", "product_ecu"),
            ("product/ECU", "product_e_c_u"),
            ("resourceTags/user:Name", "resource_tags_user_name"),
            ("resourceTags/user:name", "resource_tags_user_name"),
            ("resourceTags/user:cost center", "resource_tags_user_cost_center"),
            ("resourceTags/user:a--b..c__D", "resource_tags_user_a_b_c_d"),
            ("resourceTags/user:", "resource_tags_user"),
            ("resourceTags/user:Größe", "resource_tags_user_gr_e"),
            ("line_item_unblended_cost", "line_item_unblended_cost"),
            ("LINE_ITEM_UNBLENDED_COST", "LINE_ITEM_UNBLENDED_COST"),
            ("product_instanceSKU", "product_instanceSKU"),
            ("myQty", "myQty"),
            ("_A_", "_A_"),
            ("/:@", ""),
            ("", ""),
        ],
    )
    def test_name_of_a_header(self, header: str, name: str) -> None:
        assert aws_cur.column_name(header) == name

    def test_columns_that_are_named_in_settings_are_documented(self) -> None:
        times = {aws_cur.PERIOD_COLUMN, aws_cur.CLUSTER_COLUMN}
        found = read(document(columns=None))

        assert {aws_cur.column_type(name, found) for name in times} == {ColumnType.TIMESTAMP}
        assert {aws_cur.column_type(name, found) for name in aws_cur.COST_COLUMNS} == {
            ColumnType.DECIMAL
        }
