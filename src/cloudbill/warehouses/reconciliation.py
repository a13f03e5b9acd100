"""Compares the counts and totals of a month; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from cloudbill.errors import Guard, HeldError, ReconciliationError
from cloudbill.manifests import Manifest, Part
from cloudbill.models import PlannedLoad, Totals
from cloudbill.planning.costs import FallenCosts, fallen_costs, too_low
from cloudbill.planning.guards import held_for_rows
from cloudbill.text.counts import counted

__all__ = [
    "fallen_costs_of",
    "require_costs",
    "require_footers",
    "require_months",
    "require_not_held",
    "require_rows_in_table",
    "require_totals",
    "without_costs",
]

_LISTED_MONTHS: Final = 5


def require_footers(manifest: Manifest, footer_rows: Sequence[int]) -> int:
    """Compares the rows in the footers of the parts with what the manifest states of them.

    Returns the rows of the run. `footer_rows` is in the order of the manifest's parts.

    Raises:
        ReconciliationError: If a part or the run has more or fewer rows than stated.
    """
    for part, rows in zip(manifest.parts, footer_rows, strict=True):
        _require_part(manifest, part, rows)
    total = sum(footer_rows)
    stated = manifest.stated_rows
    if stated is not None and stated != total:
        raise ReconciliationError(
            f"The manifest {manifest.path} states {counted(stated, 'row')}, its parts have "
            f"{total}. "
            "The month was not changed; the run is delivered incomplete or was changed since"
        )
    return total


def _require_part(manifest: Manifest, part: Part, rows: int) -> None:
    if part.rows is not None and part.rows != rows:
        raise ReconciliationError(
            f"The manifest {manifest.path} states {counted(part.rows, 'row')} for {part.path}, "
            f"which has "
            f"{rows}. The month was not changed; the part was replaced or is damaged"
        )


def require_rows_in_table(
    planned: PlannedLoad, *, expected: int, in_table: int, is_of_run: bool = True
) -> None:
    """Compares the rows of a month in the table with those of the run.

    `is_of_run` is whether nothing but the run can explain a difference.

    Raises:
        ReconciliationError: If they differ.
    """
    if in_table != expected:
        raise ReconciliationError(
            f"Run {planned.manifest.run_id} has {counted(expected, 'row')}, but {planned.table} "
            f"holds "
            f"{in_table} for {planned.period}",
            is_of_run=is_of_run,
        )


def require_not_held(planned: PlannedLoad, rows: int) -> None:
    """Holds a run that has fewer rows than the guard allows, once they are counted.

    Raises:
        HeldError: If it has fewer; the loaded run stays.
    """
    least = planned.least_rows
    if least is not None and rows < least.rows:
        raise HeldError(held_for_rows(rows, least.name, least.others), Guard.ROWS)


def require_costs(
    planned: PlannedLoad,
    *,
    billed: Mapping[str, Decimal],
    read_charged: Callable[[], Mapping[str, Decimal]],
) -> None:
    """Stops a run whose costs have collapsed.

    `billed` is what it bills by currency. `read_charged` reads the same without credits, and is
    asked only where that makes the difference.

    Raises:
        HeldError: If they have; the loaded run stays.
    """
    fallen = fallen_costs_of(planned, billed=billed, read_charged=read_charged)
    if fallen is not None:
        raise HeldError(fallen.held, Guard.COSTS)


def fallen_costs_of(
    planned: PlannedLoad,
    *,
    billed: Mapping[str, Decimal],
    read_charged: Callable[[], Mapping[str, Decimal]],
) -> FallenCosts | None:
    """The costs of a run that have collapsed, if they have; see `require_costs`."""
    least = planned.least_costs
    if least is None and planned.read_least_costs is not None and not any(billed.values()):
        least = planned.read_least_costs()
    if not too_low(least, billed):
        return None
    return fallen_costs(least, billed=billed, charged=read_charged())


def without_costs(planned: PlannedLoad, billed_column: str) -> str:
    """What is said of a run of which no row has a billed cost."""
    return (
        f"Run {planned.manifest.run_id} has rows, and none of them has a value in '{billed_column}'"
        ", so that it says nothing of what the month costs. The month was not changed. Export it "
        "again, with that column filled"
    )


def require_months(
    planned: PlannedLoad, rows_by_month: Mapping[str, int], *, period_column: str
) -> None:
    """Compares the months of a run's rows with those that it may have; no month is an empty text.

    Raises:
        ReconciliationError: If there are others.
    """
    manifest = planned.manifest
    allowed = {str(period) for period in manifest.spans or (manifest.period,)}
    found = {month: rows for month, rows in rows_by_month.items() if rows}
    if found.keys() <= allowed:
        return
    listed = [f"{month or 'no month'} ({counted(found[month], 'row')})" for month in sorted(found)]
    others = "" if len(listed) <= _LISTED_MONTHS else f" and {len(listed) - _LISTED_MONTHS} others"
    stated = f"one of {manifest.period}"
    remedy = "export one month at a time"
    if manifest.spans:
        stated = f"one of {manifest.spans[0]} to {manifest.spans[-1]}"
        remedy = "export these months again"
    raise ReconciliationError(
        f"Run {manifest.run_id} is {stated}, but by {period_column} its rows belong to "
        f"{', '.join(listed[:_LISTED_MONTHS])}{others}. The month was not changed; {remedy}"
    )


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
