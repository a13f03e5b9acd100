"""Counts and totals that differ stop a load, and say which and where."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cloudbill.errors import ReconciliationError
from cloudbill.manifests import Manifest, Part
from cloudbill.models import Totals
from cloudbill.warehouses.reconciliation import (
    require_footers,
    require_rows_in_table,
    require_totals,
)
from unit.builders import manifest, to_load


def run_of(*rows: int | None, total: int | None) -> Manifest:
    """A run whose manifest states these rows of its parts, and this total."""
    parts = [Part(path=f"part_{index}", rows=count) for index, count in enumerate(rows)]
    return manifest("run", parts=parts, rows=total)


class TestFooters:
    """Rows loaded equal the manifest's count where it states one: null means unknown, not 0."""

    @pytest.mark.parametrize(
        ("stated", "footers"),
        [
            (run_of(2, 3, total=5), [2, 3]),
            (run_of(None, None, total=5), [2, 3]),
            (run_of(None, None, total=None), [2, 3]),
            (run_of(2, None, total=None), [2, 3]),
            (run_of(0, total=0), [0]),
            (run_of(total=0), []),
            (run_of(total=None), []),
        ],
        ids=[
            "all stated",
            "total alone",
            "nothing stated",
            "one part",
            "part without rows",
            "no parts",
            "no parts, nothing stated",
        ],
    )
    def test_counts_that_agree(self, stated: Manifest, footers: list[int]) -> None:
        assert require_footers(stated, footers) == sum(footers)

    @pytest.mark.parametrize(
        ("stated", "footers", "message"),
        [
            (run_of(2, 3, total=5), [2, 4], "states 3 rows for part_1, which has 4"),
            (run_of(2, 3, total=5), [3, 2], "states 2 rows for part_0, which has 3"),
            (run_of(2, 3, total=6), [2, 3], "states 6 rows, its parts have 5"),
            (run_of(None, total=0), [1], "states 0 rows, its parts have 1"),
            (run_of(0, total=None), [1], "states 0 rows for part_0, which has 1"),
            (run_of(total=5), [], "states 5 rows, its parts have 0"),
        ],
        ids=["a part", "parts exchanged", "total", "not zero", "part not zero", "no parts"],
    )
    def test_counts_that_differ(self, stated: Manifest, footers: list[int], message: str) -> None:
        with pytest.raises(ReconciliationError, match=message) as error:
            require_footers(stated, footers)

        assert "run/manifest.json" in str(error.value)
        assert "The month was not changed" in str(error.value)

    def test_footer_that_is_missing_is_a_mistake_of_the_caller(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            require_footers(run_of(1, 1, total=None), [1])


class TestHeld:
    def test_table_that_holds_the_run(self) -> None:
        require_rows_in_table(to_load(manifest()), expected=5, in_table=5)

    @pytest.mark.parametrize("held", [0, 4, 10])
    def test_table_that_does_not(self, held: int) -> None:
        with pytest.raises(ReconciliationError) as error:
            require_rows_in_table(to_load(manifest("run")), expected=5, in_table=held)

        assert str(error.value) == f"Run run has 5 rows, but bill holds {held} for 2025-10"


class TestTotals:
    @pytest.mark.parametrize(
        ("files", "table"),
        [
            ({}, {}),
            ({"EUR": {"Cost": Decimal("1.50")}}, {"EUR": {"Cost": Decimal("1.5000")}}),
            ({"EUR": {"Cost": Decimal("0E-18")}}, {"EUR": {"Cost": Decimal("-0.00")}}),
        ],
        ids=["none", "other number of zeros", "zeros"],
    )
    def test_totals_that_agree(self, files: Totals, table: Totals) -> None:
        require_totals(to_load(manifest()), files=files, table=table)

    @pytest.mark.parametrize(
        ("files", "table", "message"),
        [
            (
                {"EUR": {"Cost": Decimal("1." + "0" * 17 + "1")}},
                {"EUR": {"Cost": Decimal(1)}},
                "Cost of 2025-10 in EUR is 1.000000000000000001 in the parts of run run and 1 in",
            ),
            (
                {"EUR": {"Cost": Decimal("1" + "0" * 40 + "1")}},
                {"EUR": {"Cost": Decimal("1" + "0" * 41)}},
                "Cost of 2025-10 in EUR",
            ),
            (
                {"EUR": {"Cost": Decimal(1)}, "USD": {"Cost": Decimal(2)}},
                {"EUR": {"Cost": Decimal(1)}},
                "Cost of 2025-10 in USD is 2 in the parts of run run and None in bill",
            ),
            ({}, {"": {"Cost": Decimal(1)}}, "Cost of 2025-10 in no currency is None"),
            (
                {"EUR": {"A": Decimal(1), "B": Decimal(1)}},
                {"EUR": {"A": Decimal(1), "B": Decimal(2)}},
                "B of 2025-10 in EUR is 1 in the parts",
            ),
        ],
        ids=["last digit", "many digits", "currency", "no currency", "second column"],
    )
    def test_totals_that_differ(self, files: Totals, table: Totals, message: str) -> None:
        with pytest.raises(ReconciliationError, match=message):
            require_totals(to_load(manifest("run")), files=files, table=table)
