"""Compares a run with older ones whose rows or costs no manifest states; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from cloudbill.errors import CloudbillError, Guard, HeldError, PartMissingError
from cloudbill.manifests import Manifest
from cloudbill.models import LeastCosts, PlannedLoad
from cloudbill.planning.guards import held_for_rows, least_of

__all__ = ["Readers", "with_rival_to_sum", "with_rivals_counted"]


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What reads a run for a guard that must know it: its rows, or what it bills by currency.

    Nothing is compared with a run that bills no more than `trifle` in any currency; below a `share`
    of it a run is held.
    """

    count_rows: Callable[[Manifest], int]
    sum_billed: Callable[[Manifest], Mapping[str, Decimal]]
    share: Decimal
    trifle: Decimal


def with_rivals_counted(planned: PlannedLoad, count_rows: Callable[[Manifest], int]) -> PlannedLoad:
    """A load that knows the least rows it must have, now that the rows of its rivals are counted.

    A rival that could not be loaded either is compared with nothing.

    Raises:
        HeldError: If the manifest already states too few rows.
        CloudbillError: If a rival cannot be read for now.
    """
    for rival in planned.rivals:
        rows = _read(rival, count_rows)
        if not rows:
            continue
        least = least_of(rows, f"run {rival.run_id}", planned.max_row_drop)
        stated = planned.manifest.rows
        if stated is not None and stated < least.rows:
            raise HeldError(held_for_rows(stated, least.name, least.others), Guard.ROWS)
        if stated is None and (planned.least_rows is None or least.rows > planned.least_rows.rows):
            planned = replace(planned, least_rows=least)
    return planned


def with_rival_to_sum(planned: PlannedLoad, readers: Readers) -> PlannedLoad:
    """A load that can read what its rival bills, should the run turn out to bill nothing."""
    rival = planned.costs_rival
    if rival is None:
        return planned

    def read_least_costs() -> LeastCosts | None:
        costs = _read(rival, readers.sum_billed)
        if costs is None:
            return None
        return LeastCosts(
            run_id=rival.run_id,
            costs=costs,
            share=readers.share,
            trifle=readers.trifle,
            is_loaded=False,
        )

    return replace(planned, read_least_costs=read_least_costs)


def _read(rival: Manifest, read: Callable[[Manifest], _T]) -> _T | None:
    with suppress(PartMissingError):
        try:
            return read(rival)
        except CloudbillError as error:
            if not error.is_of_run:
                raise
    return None
