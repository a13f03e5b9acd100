"""Money is summed in one way: exactly, and never across currencies."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import cloudbill
from cloudbill.costs.sums import Charges, GroupSums, SumQuery, billed_costs, by_currency
from cloudbill.files.sums import read_sums
from cloudbill.manifests import ColumnType
from cloudbill.providers import PROVIDERS
from cloudbill.sql import BIGQUERY, DUCKDB, Fragment

KINDS: dict[str, ColumnType | str] = {
    "Currency": ColumnType.STRING,
    "Cost": ColumnType.DECIMAL,
    "At": ColumnType.TIMESTAMP,
    "Day": ColumnType.DATE,
}
ROWS = """
    INSERT INTO t VALUES
    ('EUR', 20000000000000000000.000000000000000001, '2025-10-01 23:59:59', '2025-10-02'),
    ('EUR', -20000000000000000000, '2025-10-01 00:00:00', '2025-10-02'),
    ('EUR', 0.1, '12025-10-02 00:00:00', NULL),
    ('USD', NULL, NULL, '2025-11-02'),
    ('', 5, NULL, NULL),
    (NULL, 7, NULL, NULL)
"""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A table of charges."""
    with duckdb.connect() as opened:
        opened.execute(
            'CREATE TABLE t (Currency VARCHAR, Cost DECIMAL(38,18), "At" TIMESTAMP, Day DATE)'
        )
        opened.execute(ROWS)
        yield opened


CHARGES = Charges(dialect=DUCKDB, relation=Fragment("t"), kinds=KINDS)


def query(**changes: Any) -> SumQuery:
    """The costs by currency."""
    asked: dict[str, Any] = {
        "relation": CHARGES.relation,
        "currency": CHARGES.text("CURRENCY"),
        "columns": {"cost": CHARGES.value("COST")},
    }
    return SumQuery(**(asked | changes))


class TestSums:
    def test_are_exact_by_currency_and_none_where_no_row_has_the_amount(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        assert read_sums(connection, query(), {}) == (
            GroupSums(currency="", groups=(), rows=2, amounts={"cost": Decimal(12)}),
            GroupSums(
                currency="EUR",
                groups=(),
                rows=3,
                amounts={"cost": Decimal("0.100000000000000001")},
            ),
            GroupSums(currency="USD", groups=(), rows=1, amounts={"cost": None}),
        )

    def test_are_grouped_by_the_day_and_the_month_as_text(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        groups = (CHARGES.day("at"), CHARGES.month("day"), CHARGES.day("cost"))
        sums = read_sums(connection, query(currency=Fragment("''"), groups=groups), {})

        assert {group.groups: group.rows for group in sums} == {
            ("2025-10-01", "2025-10", ""): 2,
            ("12025-10-02", "", ""): 1,
            ("", "2025-11", ""): 1,
            ("", "", ""): 2,
        }

    def test_are_of_the_rows_for_which_the_condition_holds(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        asked = query(where=Fragment("Cost > $least"))
        (nothing, euros) = read_sums(connection, asked, {"least": 1})

        assert nothing.rows == 2
        assert euros.totals == {"cost": Decimal("20000000000000000000.000000000000000001")}

    def test_that_are_asked_for_alone_are_the_farthest_from_zero(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        connection.execute("INSERT INTO t (Currency, Cost) VALUES ('CHF', -13)")
        sums = read_sums(connection, query(most=2), {})

        assert [group.currency for group in sums] == ["", "CHF"]

    def test_of_no_columns_count_the_rows(self, connection: duckdb.DuckDBPyConnection) -> None:
        sums = read_sums(connection, query(columns={}, most=9), {})

        assert {group.currency: group.rows for group in sums} == {"": 2, "EUR": 3, "USD": 1}

    def test_of_several_groups_add_up_by_currency(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        sums = read_sums(connection, query(groups=(CHARGES.day("Day"),)), {})

        assert len(sums) > 3
        assert by_currency(sums) == {
            "": {"cost": Decimal(12)},
            "EUR": {"cost": Decimal("0.100000000000000001")},
            "USD": {"cost": Decimal(0)},
        }


class TestCharges:
    def test_text_is_the_first_that_is_not_empty(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        text = CHARGES.text("missing", "currency", "day", otherwise=Fragment("'none'"))
        rows = connection.execute(DUCKDB.compose("SELECT {it} FROM t", it=text).text).fetchall()

        assert [row[0] for row in rows] == ["EUR", "EUR", "EUR", "USD", "none", "none"]

    def test_pieces_are_those_of_the_dialect(self) -> None:
        charges = Charges(dialect=BIGQUERY, relation=Fragment("t"), kinds=KINDS)

        assert charges.day("at").text == "COALESCE(CAST(DATE(`At`, 'UTC') AS STRING), '')"
        assert charges.month("day").text == "COALESCE(FORMAT_DATE('%Y-%m', `Day`), '')"

    def test_billed_costs_are_numbers_in_the_order_of_the_provider(self) -> None:
        provider = PROVIDERS["azure"]
        first, second, third = provider.COST_COLUMNS[:3]
        kinds: dict[str, ColumnType | str] = {
            third: ColumnType.STRING,
            second.upper(): ColumnType.FLOAT,
            "OtherCost": ColumnType.DECIMAL,
            first: ColumnType.INTEGER,
        }

        assert billed_costs(kinds, provider) == (first, second.upper())


def test_no_other_module_sums_money() -> None:
    package = Path(cloudbill.__file__).parent
    summing = {
        file.relative_to(package).as_posix()
        for file in package.rglob("*.py")
        if "SUM({" in file.read_text().upper()
    }

    # What is left over of negations is no sum of a bill: it becomes rows of a table.
    ours = {name for name in summing if not name.startswith("sample/")}
    assert ours == {"costs/sums.py", "focus/left_over.py"}
