"""The columns of the parts of a run, and those that a table lacks."""

from __future__ import annotations

import pytest

from cloudbill.errors import SchemaError
from cloudbill.files.columns import Fit, fit_columns, merge_parts
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


def fit(columns: list[Column], existing: dict[str, ColumnType | str]) -> Fit:
    return fit_columns(
        columns, existing, table="bill", amounts=lambda name, _: name.lower().endswith("cost")
    )


class TestFit:
    def test_columns_that_the_table_lacks_in_their_order(self) -> None:
        new = [column("b"), column("a")]

        assert fit([new[0], TAGS, new[1]], {"Tags": ColumnType.STRING}) == Fit(added=tuple(new))

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
        assert fit([TAGS], existing) == Fit()

    @pytest.mark.parametrize("kind", [ColumnType.FLOAT, ColumnType.INTEGER, ColumnType.STRING])
    def test_amounts_of_the_table_become_decimals_whatever_they_are(self, kind: ColumnType) -> None:
        assert fit([COST], {"billedcost": kind}) == Fit(widened={"billedcost": ColumnType.DECIMAL})

    @pytest.mark.parametrize(
        "kind", [ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.BOOLEAN]
    )
    def test_numbers_that_are_no_amounts_become_text_whichever_comes_first(
        self, kind: ColumnType
    ) -> None:
        number = column("Tags", kind)

        assert fit([TAGS], {"tags": kind}) == Fit(widened={"tags": ColumnType.STRING})
        assert fit([number], {"tags": ColumnType.STRING}) == Fit(converted=(number,))

    @pytest.mark.parametrize(
        ("found", "kind"),
        [
            (ColumnType.TIMESTAMP, ColumnType.STRING),
            (ColumnType.DATE, ColumnType.TIMESTAMP),
            (ColumnType.INTEGER, ColumnType.FLOAT),
        ],
    )
    def test_values_that_the_type_of_the_table_holds_exactly_are_written_in_it(
        self, found: ColumnType, kind: ColumnType
    ) -> None:
        other = column("n", found)

        assert fit([other], {"N": kind}) == Fit(converted=(other,))

    def test_whole_numbers_are_decimals_whichever_comes_first(self) -> None:
        whole, exact = column("n", ColumnType.INTEGER), column("n", ColumnType.DECIMAL)

        assert fit([exact], {"n": ColumnType.INTEGER}).widened == {"n": ColumnType.DECIMAL}
        assert fit([whole], {"n": ColumnType.DECIMAL}).converted == (whole,)

    @pytest.mark.parametrize(
        ("found", "kind"),
        [
            (COST, ColumnType.TIMESTAMP),
            (COST, "NUMERIC"),
            (column("BilledCost"), ColumnType.DECIMAL),
            (column("BilledCost", ColumnType.BOOLEAN), ColumnType.DECIMAL),
            (TAGS, ColumnType.TIMESTAMP),
            (column("Tags", ColumnType.BYTES), ColumnType.STRING),
            (column("Tags", ColumnType.BOOLEAN), ColumnType.DECIMAL),
        ],
    )
    def test_another_change_of_a_type_is_refused_and_says_what_to_do(
        self, found: Column, kind: ColumnType | str
    ) -> None:
        with pytest.raises(SchemaError) as error:
            fit([found], {found.name: kind})

        assert str(error.value) == (
            f"Column '{found.name}' changed its type from {kind} (table bill) to {found.type} "
            "(this run). The month was not changed. Load this export into a new 'table_name', or "
            "convert the column of the table, and run again"
        )
