"""Compares a run with older ones whose rows no manifest states, before it is loaded; pure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from cloudbill.errors import CloudbillError, Guard, HeldError, PartMissingError
from cloudbill.manifests import Manifest
from cloudbill.models import PlannedLoad
from cloudbill.planning.guards import held_for_rows, least_of

__all__ = ["CountRows", "with_rivals_counted"]

CountRows = Callable[[Manifest], int]


def with_rivals_counted(planned: PlannedLoad, count_rows: CountRows) -> PlannedLoad:
    """A load that knows the least rows it must have, now that the rows of its rivals are counted.

    A rival that could not be loaded either is compared with nothing.

    Raises:
        HeldError: If the manifest already states too few rows.
        CloudbillError: If a rival cannot be read for now.
    """
    for rival in planned.rivals:
        rows = _rows_of(rival, count_rows)
        if not rows:
            continue
        least = least_of(rows, f"run {rival.run_id}", planned.max_row_drop)
        stated = planned.manifest.rows
        if stated is not None and stated < least.rows:
            raise HeldError(held_for_rows(stated, least.name, least.others), Guard.ROWS)
        if stated is None and (planned.least_rows is None or least.rows > planned.least_rows.rows):
            planned = replace(planned, least_rows=least)
    return planned


def _rows_of(rival: Manifest, count_rows: CountRows) -> int | None:
    with suppress(PartMissingError):
        try:
            return count_rows(rival)
        except CloudbillError as error:
            if not error.is_of_run:
                raise
    return None
