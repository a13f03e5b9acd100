"""Finds sources whose charges would be counted twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cloudbill.doctor.check import Check
from cloudbill.manifests import Manifest
from cloudbill.planning.doubles import Billed, Double, find_doubles
from cloudbill.providers import provider_of
from cloudbill.text.months import listed_months

__all__ = ["double_check", "find_double_deliveries"]


def find_double_deliveries(delivered: Mapping[str, Iterable[Manifest]]) -> list[Double]:
    """Sources that deliver the same charges: the same cloud, scope and month; one for each scope.

    The sum of all would double the bill.
    """
    return find_doubles(
        {source: map(_billed, manifests) for source, manifests in delivered.items()}
    )


def double_check(double: Double, together: Iterable[Collection[str]] = ()) -> Check:
    """What is said of sources with the same charges: of one dataset, or of two on purpose.

    `together` are the sources that one view `focus` is over, by name.
    """
    *names, last = double.sources
    both = "both" if len(names) == 1 else "all"
    months = listed_months(double.periods)
    is_counted_once = any({*double.sources} <= {*sources} for sources in together)
    sums = (
        "the view focus counts them once, and only the sum of the tables doubles the bill"
        if is_counted_once
        else "their sum doubles the bill"
    )
    advice = f"use {'the view, or ' if is_counted_once else ''}only one of the tables, in sums"
    remedy = (
        f"{advice}, and set 'in_focus = false' for each other source, or remove it from the "
        "configuration"
    )
    return Check(
        subject=f"{', '.join(names)} and {last}",
        found=f"{both} deliver the charges of {double.scope} for {months}; {sums}",
        remedy=remedy if double.is_odd else advice,
        is_note=not double.is_odd,
    )


def _billed(manifest: Manifest) -> Billed:
    provider = provider_of(manifest.provider)
    return Billed(
        cloud=provider.CLOUD,
        dataset=provider.DATASET,
        scope=manifest.scope,
        period=manifest.period,
    )
