"""Compares the counts and totals of a month; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from cloudbill.errors import HeldError, ReconciliationError
from cloudbill.guards import held_for_rows
from cloudbill.models import Manifest, Part, PlannedLoad, Totals

__all__ = ["require_footers", "require_not_held", "require_rows_in_table", "require_totals"]


def require_footers(manifest: Manifest, footer_rows: Sequence[int]) -> int:
    """Compares the rows in the footers of the parts with what the manifest states of them.

    Returns the rows of the run. `footer_rows` is in the order of the manifest's parts.

    Raises:
        ReconciliationError: If a part or the run has more or fewer rows than stated.
    """
    for part, rows in zip(manifest.parts, footer_rows, strict=True):
        _require_part(manifest, part, rows)
    total = sum(footer_rows)
    if manifest.rows is not None and manifest.rows != total:
        raise ReconciliationError(
            f"The manifest {manifest.path} states {manifest.rows} rows, its parts have {total}. "
            "The old month is unchanged; the run is delivered incomplete or was changed since"
        )
    return total


def _require_part(manifest: Manifest, part: Part, rows: int) -> None:
    if part.rows is not None and part.rows != rows:
        raise ReconciliationError(
            f"The manifest {manifest.path} states {part.rows} rows for {part.path}, which has "
            f"{rows}. The old month is unchanged; the part was replaced or is damaged"
        )


def require_rows_in_table(planned: PlannedLoad, *, expected: int, in_table: int) -> None:
    """Compares the rows of a month in the table with those of the run.

    Raises:
        ReconciliationError: If they differ.
    """
    if in_table != expected:
        raise ReconciliationError(
            f"Run {planned.manifest.run_id} has {expected} rows, but {planned.table} holds "
            f"{in_table} for {planned.period}"
        )


def require_not_held(planned: PlannedLoad, rows: int) -> None:
    """Holds a run that has fewer rows than the guard allows, once they are counted.

    Raises:
        HeldError: If it has fewer; the loaded run stays.
    """
    if rows < planned.min_rows and planned.replaces is not None:
        raise HeldError(held_for_rows(rows, planned.replaces))


def require_totals(planned: PlannedLoad, *, files: Totals, table: Totals) -> None:
    """Compares the totals of the files with those of the table, to the last digit.

    Raises:
        ReconciliationError: If any of them differs.
    """
    for currency in sorted({*files, *table}):
        _check_currency(planned, currency, files.get(currency, {}), table.get(currency, {}))


def _check_currency(
    planned: PlannedLoad,
    currency: str,
    files: Mapping[str, Decimal],
    table: Mapping[str, Decimal],
) -> None:
    for column in sorted({*files, *table}):
        stated, in_table = files.get(column), table.get(column)
        if stated != in_table:
            raise ReconciliationError(
                f"{column} of {planned.period} in {currency or 'no currency'} is {stated} in the "
                f"parts of run {planned.manifest.run_id} and {in_table} in {planned.table}"
            )
