"""What is said of the FOCUS views, in lines and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cloudbill.focus.views import VIEWS
from cloudbill.text.months import listed_months

if TYPE_CHECKING:
    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.focus.views import View
    from cloudbill.periods import BillingPeriod

__all__ = [
    "difference_lines",
    "foreign_lines",
    "kept_lines",
    "left_out_lines",
    "left_out_months",
    "plans_json",
    "stale_lines",
    "states_json",
]


def kept_lines(plan: FocusPlan) -> Iterator[str]:
    """What was made, in a line; nothing where nothing was."""
    names = _names(plan, [view.name for view in plan.changed])
    if plan.changed:
        bills = _listed(source.settings.table_name for source in plan.sources)
        yield f"Made the {'views' if len(plan.changed) > 1 else 'view'} {names} over {bills}"
    if plan.emptied:
        yield f"Dropped {_names(plan, plan.emptied)}: no source is to be in it"


def foreign_lines(plan: FocusPlan) -> Iterator[str]:
    """The names that are somebody else's."""
    for name in plan.foreign:
        yield (
            f"{plan.dataset}.{name} was not made by cloudbill, and stays as it is. Rename it to "
            "get the view of that name, or set 'focus = false'"
        )


def stale_lines(plan: FocusPlan) -> Iterator[str]:
    """The views that are missing, and those that are not as the tables are now."""
    missing = [view.name for view in plan.changed if view.name not in plan.remembered]
    for names, what in ((missing, "missing"), (_outdated(plan), "out of date")):
        if names:
            listed = _listed(f"{plan.dataset}.{name}" for name in names)
            yield f"{listed} {'is' if len(names) == 1 else 'are'} {what}"


def _outdated(plan: FocusPlan) -> list[str]:
    """The views of ours that are there and no longer right; all are where a rest of one is old."""
    changed = {view.name for view in plan.changed}
    return [name for name in plan.remembered if name in changed or plan.tables]


def left_out_lines(plan: FocusPlan) -> Iterator[str]:
    """The months of sources that are not in the views, and which source counts instead."""
    for (source, counts), periods in _left_out(plan).items():
        yield (
            f"the charges of {listed_months(periods)} are in the tables of {source} and {counts}, "
            f"and the view counts them once, from {counts}"
        )


def left_out_months(plan: FocusPlan) -> list[dict[str, object]]:
    """The same for a JSON document."""
    return [
        {
            "dataset": plan.dataset,
            "source": source,
            "counts": counts,
            "months": [str(period) for period in periods],
        }
        for (source, counts), periods in _left_out(plan).items()
    ]


def _left_out(plan: FocusPlan) -> dict[tuple[str, str], list[BillingPeriod]]:
    names = {one.key: one.settings.source for one in plan.sources}
    found: dict[tuple[str, str], list[BillingPeriod]] = {}
    for one in plan.left_out:
        found.setdefault((names[one.key], names[one.counts]), []).append(one.period)
    return found


def difference_lines(plan: FocusPlan) -> Iterator[str]:
    """What would be made, and in what it differs from what is there."""
    for view in plan.changed:
        name = f"{plan.dataset}.{view.name}"
        if view.name not in plan.columns:
            yield f"{name} would be made"
            yield from (f"  + {line}" for line in _sources_of(plan))
            continue
        yield f"{name} would be replaced"
        differences = [*_column_differences(plan, view), *_source_differences(plan, view)]
        yield from differences or ["  ~ the expressions of its columns"]
    for table in plan.tables:
        months = listed_months(table.periods) if table.periods else "no month"
        yield f"{plan.dataset}.{table.name} would be made again for {months}"
    if plan.emptied:
        yield f"{_names(plan, plan.emptied)} would be dropped: no source is to be in it"
    kept = [name for name in VIEWS if name in plan.remembered]
    if not plan.has_work and kept:
        yield f"{_names(plan, kept)}: nothing to change"
    if not (plan.fingerprint or plan.emptied):
        yield f"{plan.dataset}: no bill is loaded, so there is nothing to make a view of"


def _column_differences(plan: FocusPlan, view: View) -> Iterator[str]:
    there, wanted = plan.columns[view.name], [column.name for column in view.columns]
    if wanted:
        yield from (f"  + column {name}" for name in wanted if name not in there)
        yield from (f"  - column {name}" for name in there if name not in wanted)


def _source_differences(plan: FocusPlan, view: View) -> Iterator[str]:
    memory = plan.remembered.get(view.name)
    before = set(_lines_of(memory.sources)) if memory else set()
    now = set(_sources_of(plan))
    yield from (f"  + {line}" for line in sorted(now - before))
    yield from (f"  - {line}" for line in sorted(before - now))


def _sources_of(plan: FocusPlan) -> list[str]:
    return _lines_of(plan.memory.sources)


def _lines_of(sources: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    lines = []
    for key, months in sources:
        name, _, table = key.partition(" ")
        without = f" without {', '.join(months)}" if months else ""
        lines.append(f"source {name} ({table}){without}")
    return lines


def plans_json(plans: Iterable[FocusPlan]) -> str:
    """The views of some datasets as a JSON document."""
    return json.dumps({"datasets": [_plan_json(plan) for plan in plans]}, indent=2)


def states_json(plan: FocusPlan) -> list[dict[str, object]]:
    """Whether each view of a dataset is as the tables are now, for a JSON document."""
    changed, outdated = {view.name for view in plan.changed}, _outdated(plan)

    def state(name: str) -> str:
        if name in plan.foreign:
            return "foreign"
        if name in outdated:
            return "out_of_date"
        return "missing" if name in changed else "ok"

    return [
        {"dataset": plan.dataset, "view": name, "state": state(name)}
        for name in VIEWS
        if plan.fingerprint
    ]


def _plan_json(plan: FocusPlan) -> dict[str, object]:
    changed = {view.name for view in plan.changed}
    names = {source.key: source.settings.source for source in plan.sources}

    def state(name: str) -> str:
        if name in plan.foreign:
            return "foreign"
        if name not in changed:
            return "unchanged" if name in plan.remembered else "absent"
        return "replaced" if name in plan.columns else "made"

    return {
        "dataset": plan.dataset,
        "views": [{"name": name, "state": state(name)} for name in VIEWS],
        "sources": [
            {
                "source": source.settings.source,
                "table": source.settings.table_name,
                "configured": source.is_configured,
                "left_out": [
                    {"month": str(one.period), "counts": names[one.counts]}
                    for one in plan.left_out
                    if one.key == source.key
                ],
            }
            for source in plan.sources
        ],
        "excluded": sorted(plan.excluded),
    }


def _names(plan: FocusPlan, names: Iterable[str]) -> str:
    return _listed(f"{plan.dataset}.{name}" for name in names)


def _listed(names: Iterable[str]) -> str:
    *some, last = list(names) or [""]
    return f"{', '.join(some)} and {last}" if some else last
