"""Keeps the FOCUS views of a dataset up to date with its bills.

The views are over every table that the ledgers of the dataset know, so that a source which is no
longer configured keeps its history, and two configurations of one dataset agree. What is made is
compared with what is there by a fingerprint in the comment of each view; most runs change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cloudbill.costs.month_totals import spans_of
from cloudbill.errors import LoadError
from cloudbill.focus.branches import FocusSource
from cloudbill.focus.counting import Delivered, LeftOut, left_out_months, version_spans
from cloudbill.focus.left_over import left_over_kinds, left_over_query, marks_query
from cloudbill.focus.mapping import mapping_of
from cloudbill.focus.rendering import BilledTable
from cloudbill.focus.views import FAULTS, FOCUS, VIEWS, Memory, View, fingerprint_of, views_of
from cloudbill.ledger import Ledger
from cloudbill.ledger.merging import tables_of_state
from cloudbill.ledger.tables import source_name
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.sql import Fragment
    from cloudbill.warehouses.viewing import Views

__all__ = ["FocusPlan", "KnownSource", "datasets_of", "keep_views", "look_at_views", "plan_views"]

_LEFT_OVER: Final = "{table}_focus_left_over"
_LEFT_OVER_COMMENT: Final = "cloudbill: what negations leave over in {table}, for the view focus"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """A source that a ledger of the dataset knows, and what its months hold.

    `settings` of one that is not configured are those of another, with its name and its table.
    """

    settings: SourceSettings
    is_configured: bool
    loaded: Mapping[BillingPeriod, LoadRecord]

    @property
    def key(self) -> str:
        """What is told apart by: the name of the source and its table."""
        return f"{self.settings.source} {self.settings.table_name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTable:
    """A table that is to be made, from the rows of a query."""

    name: str
    query: Fragment
    comment: str
    periods: tuple[BillingPeriod, ...]
    """The months that are looked at anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusPlan:
    """What the views of a dataset should be, and what is to be done for that.

    `foreign` are views or tables of the same names that are somebody else's.
    """

    dataset: str
    sources: tuple[KnownSource, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    excluded: frozenset[str] = frozenset()
    tables: tuple[NewTable, ...] = ()
    fingerprint: str = ""
    """That of the views as they should be."""
    changed: tuple[View, ...] = ()
    foreign: tuple[str, ...] = ()
    remembered: Mapping[str, Memory] = field(default_factory=dict)
    """What the views that are there remember."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of the views that are there and are to be replaced."""
    emptied: tuple[str, ...] = ()
    """The views of ours that nothing is to be in any more, so they are dropped."""

    @property
    def memory(self) -> Memory:
        """What the views are to remember, apart from what they are."""
        months: dict[str, list[str]] = {
            one.key: [] for one in self.sources if one.settings.source not in self.excluded
        }
        for one in self.left_out:
            months[one.key].append(str(one.period))
        return Memory(
            fingerprint=self.fingerprint,
            excluded=self.excluded,
            sources=tuple((key, tuple(left)) for key, left in months.items()),
        )

    @property
    def has_work(self) -> bool:
        """Whether anything is to be made, or dropped."""
        return bool(self.tables or self.changed or self.emptied)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bill:
    """A table of a source, as it is now."""

    source: KnownSource
    table: BilledTable
    left_over: tuple[str, ...] | None = None
    new: NewTable | None = None


def datasets_of(sources: Iterable[SourceSettings]) -> tuple[tuple[SourceSettings, ...], ...]:
    """The sources by dataset; without those of a dataset whose views are switched off."""
    groups: dict[tuple[str, ...], list[SourceSettings]] = {}
    for settings in sources:
        groups.setdefault(settings.physical_table[:-1], []).append(settings)
    return tuple(
        tuple(group) for group in groups.values() if all(settings.focus for settings in group)
    )


def keep_views(settings: Sequence[SourceSettings]) -> FocusPlan:
    """Makes the views of one dataset as they should be; `settings` are its configured sources.

    Raises:
        CloudbillError: If the warehouse cannot be read, or refuses a view.
    """
    # Most runs change nothing, and a file that is only read is locked for nobody.
    plan = look_at_views(settings)
    if not plan.has_work:
        return plan
    with closing(open_warehouse(settings[0].warehouse)) as warehouse:
        plan = plan_views(settings, warehouse)
        _make(plan, warehouse.views)
    return plan


def look_at_views(settings: Sequence[SourceSettings]) -> FocusPlan:
    """What the views of one dataset should be; changes nothing. Raises as `plan_views`."""
    with closing(open_warehouse(settings[0].warehouse, read_only=True)) as warehouse:
        return plan_views(settings, warehouse)


def _make(plan: FocusPlan, views: Views) -> None:
    for name in reversed(plan.emptied):
        views.drop_view(name)
    for table in plan.tables:
        views.replace_table(table.name, table.query, table.comment)
    for view in plan.changed:
        if views.longest is not None and len(view.query.text) > views.longest:
            raise LoadError(
                f"The view {plan.dataset}.{view.name} would have {len(view.query.text):,} "
                f"characters, and BigQuery takes {views.longest:,}. Leave sources out of it with "
                "'in_focus = false', or load some into another dataset"
            )
        views.replace_view(view.name, view.query, plan.memory.comment)


def plan_views(settings: Sequence[SourceSettings], warehouse: Warehouse) -> FocusPlan:
    """What the views of a dataset should be, by what its ledgers and tables say now.

    Raises:
        CloudbillError: If the warehouse or a ledger cannot be read.
    """
    views, dataset = warehouse.views, settings[0].dataset
    found = views.find(VIEWS)
    memories = {
        name: Memory.of(one.comment) if one.is_view else None for name, one in found.items()
    }
    foreign = tuple(name for name in found if memories[name] is None)
    known = _known_sources(settings, warehouse)
    excluded = _excluded(known, memories.get(FOCUS))
    bills = [
        bill
        for source in known
        if source.settings.source not in excluded and (bill := _bill(source, warehouse)) is not None
    ]
    remembered = {name: memory for name, memory in memories.items() if memory}
    if not bills:
        return FocusPlan(
            dataset=dataset,
            sources=known,
            excluded=excluded,
            foreign=foreign,
            emptied=tuple(remembered),
        )
    left_out = left_out_months([one for bill in bills for one in _delivered(bill.source)])
    sources = [_focus_source(bill, left_out, views) for bill in bills]
    plan = FocusPlan(
        dataset=dataset,
        sources=tuple(bill.source for bill in bills),
        left_out=left_out,
        excluded=excluded,
        tables=tuple(bill.new for bill in bills if bill.new is not None),
        fingerprint=fingerprint_of(sources, views.path()),
        foreign=foreign,
        remembered=remembered,
    )
    names = _to_be_made(plan)
    if not names:
        return plan
    made = views_of(sources, views.dialect, views.path())
    return replace(
        plan,
        changed=tuple(view for view in made if view.name in names),
        # To read the columns of a view, DuckDB plans it; those of the faults are always the same.
        columns={
            name: () if name == FAULTS else tuple(views.kinds(name))
            for name in names
            if name in found
        },
    )


def _to_be_made(plan: FocusPlan) -> tuple[str, ...]:
    """The views that are not there, or not as they should be; those of others stay as they are."""
    return tuple(
        name
        for name in VIEWS
        if name not in plan.foreign
        and not plan.memory.is_alike(plan.remembered.get(name))
        # What counts the faults of the view of somebody else would say nothing of the bills.
        and not (name == FAULTS and FOCUS in plan.foreign)
    )


def _known_sources(
    settings: Sequence[SourceSettings], warehouse: Warehouse
) -> tuple[KnownSource, ...]:
    """All that are configured or in a ledger, in an order that every configuration comes to."""
    configured = {(one.pipeline_name, one.table_name): one for one in settings}
    known = {
        place: KnownSource(settings=own, is_configured=True, loaded=Ledger(own, warehouse).loaded())
        for place, own in configured.items()
    }
    for pipeline, text in sorted(warehouse.views.pipelines().items()):
        for provider, table in _tables_in(text):
            if (pipeline, table) in known:
                continue
            own = replace(
                settings[0],
                source=_section_of(pipeline, provider, settings),
                provider=provider,
                table_name=table,
            )
            loaded = Ledger(own, warehouse, pipeline).loaded()
            known[pipeline, table] = KnownSource(settings=own, is_configured=False, loaded=loaded)
    order = {name: place for place, name in enumerate(PROVIDERS)}
    return tuple(
        sorted(known.values(), key=lambda one: (order[one.settings.provider.NAME], one.key))
    )


def _tables_in(state: str) -> Iterable[tuple[Provider, str]]:
    """The tables of a pipeline by its state, each with its provider."""
    for provider in PROVIDERS.values():
        for table in tables_of_state(state, source_name(provider.SECTION)):
            yield provider, table


def _section_of(pipeline: str, provider: Provider, settings: Sequence[SourceSettings]) -> str:
    """The section that a pipeline belongs to, as far as its name tells."""
    for one in settings:
        if one.pipeline_name == pipeline:
            return one.source
    name = pipeline.removesuffix("_pipeline")
    rest = name.removeprefix(f"{provider.SECTION}_")
    return name if rest == name else f"{provider.SECTION}.{rest}"


def _excluded(known: Sequence[KnownSource], memory: Memory | None) -> frozenset[str]:
    """The sources that are not to be in the views, by their own configurations."""
    configured = {one.settings.source: one.settings for one in known if one.is_configured}
    others = (memory.excluded if memory else frozenset()) - configured.keys()
    return others | {name for name, one in configured.items() if not one.in_focus}


def _bill(source: KnownSource, warehouse: Warehouse) -> _Bill | None:
    """The table of a source; None where there is none, or it has lost what tells its months."""
    views, settings = warehouse.views, source.settings
    kinds = views.kinds(settings.table_name)
    mapping = mapping_of(settings.provider.NAME)
    has_headers = any(header for one in mapping.objects.values() for _, header, _ in one.prefixes)
    table = BilledTable(
        dialect=views.dialect,
        kinds=kinds,
        headers=warehouse.headers(settings.table_name) if has_headers and kinds else {},
    )
    if table.spelt(settings.provider.PERIOD_COLUMN) is None:
        return None
    bill = _Bill(source=source, table=table)
    return bill if mapping.left_over is None else _with_left_over(bill, warehouse)


def _with_left_over(bill: _Bill, warehouse: Warehouse) -> _Bill:
    """A bill with the table of what its negations leave over, which may have to be made anew."""
    settings, views = bill.source.settings, warehouse.views
    mapping = mapping_of(settings.provider.NAME)
    if mapping.left_over is None:
        return bill
    name = _LEFT_OVER.format(table=settings.table_name)
    comment = _LEFT_OVER_COMMENT.format(table=settings.table_name)
    there = views.find([name]).get(name)
    if there is not None and (there.is_view or there.comment != comment):
        raise LoadError(
            f"{settings.dataset}.{name} is a table that cloudbill did not make, and the view "
            f"{FOCUS} needs a table of that name. Rename it"
        )
    kinds = left_over_kinds(mapping.left_over)
    is_known = there is not None and dict(views.kinds(name)) == kinds
    wanted = _marks(bill.source, warehouse)
    marks = _read_marks(bill, views, name) if is_known else {}
    stale = {period: mark for period, mark in wanted.items() if marks.get(period) != mark}
    path = views.path(name)
    if is_known and not stale and marks.keys() == wanted.keys():
        return replace(bill, left_over=path)
    kept = frozenset(wanted.keys() & marks.keys()) - stale.keys()
    query = left_over_query(
        views.path(settings.table_name),
        bill.table,
        mapping,
        period_column=settings.provider.PERIOD_COLUMN,
        marks=stale,
        kept=(path, kept) if is_known else None,
    )
    new = NewTable(name=name, query=query, comment=comment, periods=tuple(sorted(stale)))
    return replace(bill, left_over=path, new=new)


def _read_marks(bill: _Bill, views: Views, name: str) -> dict[BillingPeriod, str]:
    column = bill.source.settings.provider.PERIOD_COLUMN
    rows = views.rows(
        marks_query(views.path(name), bill.table, column), what=f"Reading the marks of {name}"
    )
    return {BillingPeriod.parse(str(month)): str(mark) for month, mark in rows if month}


def _marks(source: KnownSource, warehouse: Warehouse) -> dict[BillingPeriod, str]:
    """What tells for each month of a table whether it was replaced since."""
    settings = source.settings
    months = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN).months
    marks = {}
    for period, month in months.items():
        record = source.loaded.get(period)
        run = (record.run_id, record.sequence, record.loaded_at) if record else ()
        marks[period] = "|".join(map(str, (*run, month.rows, month.write_mark or "")))
    return marks


def _delivered(source: KnownSource) -> Iterable[Delivered]:
    provider = source.settings.provider
    mapping = mapping_of(provider.NAME)
    for period, record in source.loaded.items():
        yield Delivered(
            key=source.key,
            cloud=provider.CLOUD,
            # Of a section whose table was renamed, both tables have the same charges.
            scope=record.scope or source.settings.source,
            period=period,
            delivers_focus=mapping.delivers_focus,
            submitted_at=record.submitted_at,
            loaded_at=record.loaded_at,
            rows=record.rows,
        )


def _focus_source(bill: _Bill, left_out: Sequence[LeftOut], views: Views) -> FocusSource:
    settings = bill.source.settings
    mapping = mapping_of(settings.provider.NAME)
    versions = {
        period: record.data_version
        for period, record in bill.source.loaded.items()
        if record.data_version is not None and mapping.delivers_focus
    }
    return FocusSource(
        name=settings.source,
        provider=settings.provider.NAME,
        path=views.path(settings.table_name),
        period_column=settings.provider.PERIOD_COLUMN,
        table=bill.table,
        left_out=spans_of(one.period for one in left_out if one.key == bill.source.key),
        versions=version_spans(versions),
        left_over=bill.left_over,
    )
