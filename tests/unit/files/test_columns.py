"""The columns of the parts of a run, and those that a table lacks."""

from __future__ import annotations

import pytest

from cloudbill.errors import SchemaError
from cloudbill.files.columns import added_columns, merge_parts
from cloudbill.manifests import Column, ColumnType


def column(name: str, kind: ColumnType = ColumnType.STRING, *, target: str | None = None) -> Column:
    """A column; its name in the table is that in the files unless another is given."""
    return Column(name=name, target=target or name, type=kind)


COST = column("BilledCost", ColumnType.DECIMAL)
TAGS = column("Tags")


class TestMergedParts:
    def test_parts_of_the_same_columns(self) -> None:
        assert merge_parts([("p0", [COST, TAGS]), ("p1", [COST, TAGS])]) == (COST, TAGS)

    def test_columns_stand_in_the_order_of_their_first_appearance(self) -> None:
        late = column("Late")

        assert merge_parts([("p0", [TAGS]), ("p1", [COST, late, TAGS])]) == (TAGS, COST, late)

    def test_first_spelling_is_kept(self) -> None:
        assert merge_parts([("p0", [TAGS]), ("p1", [column("TAGS")])]) == (TAGS,)

    @pytest.mark.parametrize("parts", [[], [("p0", [])]], ids=["no parts", "no columns"])
    def test_nothing_merges_to_nothing(self, parts: list[tuple[str, list[Column]]]) -> None:
        assert merge_parts(parts) == ()

    def test_names_that_differ_in_case_alone_are_refused(self) -> None:
        with pytest.raises(SchemaError, match=r"^gs://b/p1 has two columns named 'tAGS' when case"):
            merge_parts([("gs://b/p0", [TAGS]), ("gs://b/p1", [TAGS, column("tAGS")])])

    def test_names_that_meet_in_the_table_are_refused(self) -> None:
        with pytest.raises(SchemaError, match="two columns named 'a_b'"):
            merge_parts([("p0", [column("a/b", target="a_b"), column("a:b", target="a_b")])])

    def test_parts_that_disagree_on_a_type_are_refused(self) -> None:
        with pytest.raises(
            SchemaError, match=r"^Column 'BilledCost' is decimal in p0 and float in p1; the run"
        ):
            merge_parts([("p0", [COST]), ("p1", [column("billedcost", ColumnType.FLOAT)])])


class TestAddedColumns:
    def test_columns_that_the_table_lacks_in_their_order(self) -> None:
        new = [column("b"), column("a")]

        added = added_columns([new[0], TAGS, new[1]], {"Tags": ColumnType.STRING}, table="bill")

        assert added == tuple(new)

    @pytest.mark.parametrize(
        "existing",
        [
            {"Tags": ColumnType.STRING},
            {"TAGS": ColumnType.STRING},
            {"Tags": ColumnType.STRING, "Dropped": "GEOGRAPHY"},
        ],
        ids=["same", "other case", "column that the run lacks"],
    )
    def test_table_that_has_all_columns(self, existing: dict[str, ColumnType | str]) -> None:
        assert added_columns([TAGS], existing, table="bill") == ()

    @pytest.mark.parametrize(
        "kind", [ColumnType.FLOAT, "NUMERIC"], ids=["our type", "foreign type"]
    )
    def test_changed_type_is_refused_and_says_what_to_do(self, kind: ColumnType | str) -> None:
        with pytest.raises(SchemaError) as error:
            added_columns([COST], {"billedcost": kind}, table="bill")

        assert str(error.value) == (
            f"Column 'BilledCost' changed its type from {kind} (table bill) to decimal (this run). "
            "The month was not changed. Load this export into a new 'table_name', or convert the "
            "column of the table, and run again"
        )
