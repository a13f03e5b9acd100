"""Finds sources whose charges would be counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloudbill.doctor.check import Check
from cloudbill.manifests import Manifest
from cloudbill.planning.doubles import Billed, Double, find_doubles
from cloudbill.providers import provider_of

__all__ = ["double_check", "find_double_deliveries"]


def find_double_deliveries(delivered: Mapping[str, Iterable[Manifest]]) -> list[Check]:
    """Pairs of sources that deliver the same charges: the same cloud, scope and month.

    The sum of both would double the bill.
    """
    billed = {source: map(_billed, manifests) for source, manifests in delivered.items()}
    return [double_check(double) for double in find_doubles(billed)]


def double_check(double: Double) -> Check:
    """What is said of two sources with the same charges."""
    months = ", ".join(str(period) for period in double.periods)
    return Check(
        subject=f"{double.first} and {double.second}",
        found=f"both deliver the charges of {double.scope} for {months}; their sum doubles the "
        "bill",
        remedy="use only one of the tables in sums, or remove one source from the configuration",
    )


def _billed(manifest: Manifest) -> Billed:
    cloud = provider_of(manifest.provider).CLOUD
    return Billed(cloud=cloud, scope=manifest.scope, period=manifest.period)
