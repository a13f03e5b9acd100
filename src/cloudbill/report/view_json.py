"""The part of the page's data that comes from the views; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cloudbill.report.folding import Fact, Folding, Name
from cloudbill.report.view_model import ViewReport, amounts_of

__all__ = ["VIEW_NAMES", "faults_json", "folded_view", "left_out_json", "view_days"]

VIEW_NAMES: Final = ("category", "region")
_SIZES: Final = (50, 30, 20, 12, 8, 5)
_BUDGET: Final = 6_000
"""How many rows of the views a page may have, before more regions are folded."""

Place = tuple[str, ...]
"""The month, the source, the status of the commitment, and whether there are tags; or the month,
the source and the day."""


def folded_view(views: Iterable[ViewReport], sources: Sequence[str]) -> list[Fact[Place]]:
    """The months of some views, for the sources of the page, with the costliest regions."""
    at = _places(sources)
    facts: list[Fact[Place]] = [
        Fact(
            place=(month, at[source], status, tags),
            currency=group.currency,
            names=(Name(category), Name(region)),
            amounts=amounts_of(group),
        )
        for view in views
        for group in view.months
        for source, month, category, region, status, tags in [group.groups]
        if source in at
    ]
    folded = facts
    for most in _SIZES:
        folded = Folding.of(facts, most).apply(facts)
        if len(folded) <= _BUDGET:
            break
    return folded


def view_days(views: Iterable[ViewReport], sources: Sequence[str]) -> list[Fact[Place]]:
    """The days of the newest month, for the sources of the page."""
    at = _places(sources)
    return [
        Fact(
            place=(month, at[source], day),
            currency=group.currency,
            names=(Name(category),),
            amounts=amounts_of(group),
        )
        for view in views
        for group in view.days
        for source, month, day, category in [group.groups]
        if source in at
    ]


def faults_json(views: Iterable[ViewReport], sources: Sequence[str]) -> list[dict[str, object]]:
    """The rules that name charges of the sources of the page, the worst of each first."""
    at = _places(sources)
    return [
        {
            "source": int(at[fault.source]),
            "rule": fault.rule.name,
            "title": fault.rule.title,
            "remedy": fault.rule.remedy,
            "rows": fault.rows,
            "months": [str(period) for period in fault.periods],
            "costs": [[currency, f"{cost:f}"] for currency, cost in fault.costs.items()],
        }
        for view in views
        for fault in view.faults
        if fault.source in at
    ]


def left_out_json(views: Iterable[ViewReport], sources: Sequence[str]) -> list[dict[str, object]]:
    """The months that the views leave out of the sources of the page."""
    at = _places(sources)
    return [
        {
            "source": int(at[one.source]),
            "counts": one.counts,
            "months": [str(period) for period in one.periods],
        }
        for view in views
        for one in view.left_out
        if one.source in at
    ]


def _places(sources: Sequence[str]) -> Mapping[str, str]:
    return {name: str(place) for place, name in enumerate(sources)}
