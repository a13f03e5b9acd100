"""The columns that the headers of AWS reports get, the pairs that collide among them."""

from __future__ import annotations

import pytest

from cloudbill.files.columns import assign_columns
from cloudbill.providers import aws_cur, azure_focus

TAG = "resource_tags_user_name"
UPPER, LOWER = "resourceTags/user:Name", "resourceTags/user:name"


def assign(headers: list[str], existing: dict[str, str] | None = None) -> dict[str, str]:
    """The columns of headers as AWS names them."""
    return assign_columns(headers, existing or {}, aws_cur.column_name)


class TestNewTable:
    def test_columns_stand_in_the_order_of_the_headers(self) -> None:
        headers = ["lineItem/UnblendedCost", "bill/BillType", "product/ecu", "product/ECU"]

        assert list(assign(headers).items()) == [
            ("lineItem/UnblendedCost", "line_item_unblended_cost"),
            ("bill/BillType", "bill_bill_type"),
            ("product/ecu", "product_ecu"),
            ("product/ECU", "product_e_c_u"),
        ]

    def test_headers_that_collide_are_numbered(self) -> None:
        third = "resourceTags/user_name"

        assert assign([LOWER, third, UPPER]) == {UPPER: TAG, LOWER: f"{TAG}_2", third: f"{TAG}_3"}

    def test_number_avoids_the_name_of_another_header(self) -> None:
        second = "resourceTags/user:name 2"

        assert assign([LOWER, UPPER, second]) == {
            UPPER: TAG,
            LOWER: f"{TAG}_3",
            second: f"{TAG}_2",
        }

    def test_names_of_columns_that_differ_by_case_alone_are_one(self) -> None:
        found = assign_columns(["Tags", "tags"], {}, azure_focus.column_name)

        assert found == {"Tags": "Tags", "tags": "Tags"}

    @pytest.mark.parametrize(
        ("header", "column"),
        [
            ("/", "column"),
            ("", "column"),
            ("a.b/c`d\n", "a_b_c_d_"),
            ("_PARTITIONTIME", "column_PARTITIONTIME"),
            ("_table_suffix", "column_table_suffix"),
            ("Größe in %", "Größe in %"),
        ],
    )
    def test_name_that_no_warehouse_takes_is_made_legal(self, header: str, column: str) -> None:
        assert assign_columns([header], {}, lambda _: _.strip("/")) == {header: column}

    def test_long_names_are_shortened_and_stay_apart(self) -> None:
        headers = [f"resourceTags/user:{'k' * 300}{end}" for end in "abc"]

        columns = assign(headers).values()

        assert len(set(columns)) == 3
        assert {len(column) for column in columns} == {280}
        assert all(column.startswith("resource_tags_user_kkk") for column in columns)


class TestGrownTable:
    def test_header_keeps_its_column(self) -> None:
        assert assign([UPPER, LOWER], {TAG: LOWER}) == {LOWER: TAG, UPPER: f"{TAG}_2"}
        assert assign([UPPER], {TAG: LOWER, f"{TAG}_2": UPPER}) == {UPPER: f"{TAG}_2"}

    def test_column_of_a_header_that_vanished_is_not_given_away(self) -> None:
        assert assign([UPPER], {TAG: LOWER}) == {UPPER: f"{TAG}_2"}

    def test_name_that_a_number_took_is_not_free_any_more(self) -> None:
        existing = {TAG: UPPER, f"{TAG}_2": LOWER}

        assert assign(["resourceTags/user:name 2"], existing) == {
            "resourceTags/user:name 2": f"{TAG}_2_2"
        }

    @pytest.mark.parametrize("text", ["", "Who pays for it", "lineItem/UnblendedCost (exact)"])
    def test_column_whose_header_is_not_known_belongs_to_the_header_of_its_name(
        self, text: str
    ) -> None:
        header = "lineItem/UnblendedCost"

        assert assign([header], {"line_item_unblended_cost": text}) == {
            header: "line_item_unblended_cost"
        }

    def test_table_that_was_loaded_from_parquet_takes_csv(self) -> None:
        existing = {"BilledCost": "", "tags": "", "x_Other": ""}

        assert assign_columns(["Tags", "BilledCost", "New"], existing, azure_focus.column_name) == {
            "Tags": "tags",
            "BilledCost": "BilledCost",
            "New": "New",
        }
