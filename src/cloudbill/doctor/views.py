"""Checks the FOCUS views of a dataset, and what they say of its charges; changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import shown_costs
from cloudbill.doctor.check import Check, failed_check
from cloudbill.errors import CloudbillError, StaleError
from cloudbill.focus.found import (
    SERVICE_CODE,
    FoundFault,
    found_faults,
    found_query,
    unknown_codes,
    unknown_query,
)
from cloudbill.focus.keeping import FocusPlan, plan_views
from cloudbill.focus.mapping import mapping_of
from cloudbill.focus.views import FAULTS, FOCUS
from cloudbill.looking.focus_words import foreign_lines, left_out_lines, stale_lines
from cloudbill.text.counts import counted
from cloudbill.text.months import listed_months
from cloudbill.text.table import printable
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.providers import Provider
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.viewing import Views

__all__ = ["check_views"]

_WORST: Final = 3
"""How many rules of a source are named; the view `focus_faults` has all of them."""
_CODES: Final = 10
_MAKE: Final = "run `cloudbill focus`, which makes it again"


def check_views(settings: Sequence[SourceSettings]) -> tuple[Check, ...]:
    """Checks the views of one dataset; `settings` are its configured sources."""
    subject = f"{settings[0].dataset}.{FOCUS}"
    try:
        with closing(open_warehouse(settings[0].warehouse, read_only=True)) as warehouse:
            plan = plan_views(settings, warehouse)
            return tuple(_checks(plan, warehouse.views, subject)) if plan.fingerprint else ()
    except CloudbillError as error:
        return (failed_check(subject, error),)


def _checks(plan: FocusPlan, views: Views, subject: str) -> Iterator[Check]:
    odd = [*_stale(plan, subject), *_broken(plan, views)]
    yield from odd
    if not odd and FOCUS not in plan.foreign:
        sources = f"{counted(len(plan.sources), 'source')}"
        yield Check(subject=subject, found=f"{sources}, as the tables are now")
    for line in foreign_lines(plan):
        yield Check(subject=subject, found=line, is_note=True)
    for line in left_out_lines(plan):
        yield Check(subject=subject, found=line, is_note=True)
    yield from _unconfigured(plan, subject)
    if not odd and not plan.foreign:
        yield from _faults(views)
        yield from _unknown_codes(plan, views)


def _stale(plan: FocusPlan, subject: str) -> Iterator[Check]:
    for line in stale_lines(plan):
        yield Check(
            subject=subject,
            found=line,
            remedy="run `cloudbill focus`, or `cloudbill load`, which makes them as well",
            exit_code=StaleError.exit_code,
        )


def _broken(plan: FocusPlan, views: Views) -> Iterator[Check]:
    """The views that are as they should be, and cannot be read all the same."""
    changed = {view.name for view in plan.changed}
    for name in plan.remembered:
        if name in changed or plan.tables:
            continue
        # No column is asked for, so BigQuery reads next to nothing; every name is looked up.
        query = views.dialect.sql.compose("SELECT 1 FROM {view} LIMIT 0", view=views.path(name))
        try:
            views.rows(query, what="Reading the view")
        except CloudbillError as error:
            yield Check(
                subject=f"{plan.dataset}.{name}",
                found=f"the view cannot be read. {error}",
                remedy=_MAKE,
            )


def _unconfigured(plan: FocusPlan, subject: str) -> Iterator[Check]:
    for one in plan.sources:
        if not one.is_configured:
            settings = one.settings
            months = listed_months(one.loaded)
            yield Check(
                subject=subject,
                found=f"no section of the configuration loads {settings.dataset}."
                f"{settings.table_name}, and the view has what {settings.source} loaded into it"
                + (f" of {months}" if months else ""),
                remedy="drop the table if nobody needs its months",
                is_note=True,
            )


def _faults(views: Views) -> Iterator[Check]:
    """The worst rules of each source."""
    rows = views.rows(found_query(views.dialect, views.path()), what=f"Reading {FAULTS}")
    for source, found in groupby(found_faults(rows), key=lambda one: one.source):
        subject, faults = f"{source}: {FAULTS}", [*found]
        for fault in faults[:_WORST]:
            yield Check(
                subject=subject,
                found=printable(_fault(fault)),
                remedy=fault.rule.remedy.rstrip("."),
                is_note=True,
            )
        if len(faults) > _WORST:
            more = len(faults) - _WORST
            yield Check(
                subject=subject,
                found=f"{counted(more, 'more rule names', plural='more rules name')} charges",
                remedy=f"query the view {FAULTS}",
                is_note=True,
            )


def _fault(fault: FoundFault) -> str:
    rows = counted(fault.rows, "row", ",")
    months = f" of {listed_months(fault.periods)}" if fault.periods else ""
    costs = " and ".join(shown_costs(fault.costs, exact=True)) if fault.costs else "nothing"
    return f"{fault.rule.title} ({fault.rule.name}): {rows}{months}, {costs} billed"


def _has_our_categories(provider: Provider) -> bool:
    mapping = mapping_of(provider.NAME)
    return SERVICE_CODE in mapping.own_columns and not mapping.delivers_focus


def _unknown_codes(plan: FocusPlan, views: Views) -> Iterator[Check]:
    """The codes of products that the view has no category for."""
    sources = [
        one.settings.source for one in plan.sources if _has_our_categories(one.settings.provider)
    ]
    if not sources:
        return
    query = unknown_query(views.dialect, views.path())
    found = unknown_codes(views.rows(query, what=f"Reading {FOCUS}"), sources)
    of_codes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for source, codes in found.items():
        of_codes[codes].append(source)
    for codes, names in of_codes.items():
        listed = ", ".join(codes[:_CODES])
        more = f" and {len(codes) - _CODES} more" if len(codes) > _CODES else ""
        yield Check(
            subject=f"{', '.join(names)}: {FOCUS}",
            found=printable(
                f"the category of these products is not known, so ServiceCategory is 'Other': "
                f"{listed}{more}"
            ),
            remedy="group such charges by ServiceName",
            is_note=True,
        )
