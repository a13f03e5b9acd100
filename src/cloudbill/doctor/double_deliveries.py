"""Finds sources whose charges would be counted twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cloudbill.doctor.check import Check
from cloudbill.manifests import Manifest
from cloudbill.periods import BillingPeriod
from cloudbill.providers import provider_of

__all__ = ["find_double_deliveries"]


def find_double_deliveries(delivered: Mapping[str, Iterable[Manifest]]) -> list[Check]:
    """Pairs of sources that deliver the same charges: the same cloud, scope and month.

    The sum of both would double the bill.
    """
    owners: dict[tuple[str, str], dict[str, set[BillingPeriod]]] = defaultdict(dict)
    for source, manifests in delivered.items():
        for manifest in manifests:
            if manifest.scope is not None:
                key = (provider_of(manifest.provider).CLOUD, manifest.scope)
                owners[key].setdefault(source, set()).add(manifest.period)
    checks: list[Check] = []
    for (_, scope), by_source in sorted(owners.items()):
        names = sorted(by_source)
        for index, first in enumerate(names):
            for second in names[index + 1 :]:
                both = sorted(by_source[first] & by_source[second])
                if both:
                    checks.append(_double_delivery(first, second, scope, both))
    return checks


def _double_delivery(first: str, second: str, scope: str, both: Sequence[BillingPeriod]) -> Check:
    months = ", ".join(str(period) for period in both)
    return Check(
        subject=f"{first} and {second}",
        found=f"both deliver the charges of {scope} for {months}; their sum doubles the bill",
        remedy="use only one of the tables in sums, or remove one source from the configuration",
    )
