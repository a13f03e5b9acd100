"""The data of the page: each name once, amounts as exact text, rows that point to names; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from cloudbill.costs.cube import CostCube
from cloudbill.providers.roles import CostKind
from cloudbill.report.folding import Fact, Folding, Name, Others
from cloudbill.report.model import KINDS, Amounts, SourceReport, kind_amounts, kind_places
from cloudbill.report.tags import TagPlace, facts_by_tag
from cloudbill.report.trust_json import trust_json
from cloudbill.report.view_json import (
    VIEW_NAMES,
    faults_json,
    folded_view,
    left_out_json,
    view_days,
)
from cloudbill.report.view_model import ViewReport

__all__ = ["amount_text", "page_json"]

_SIZES: Final = (50, 30, 20, 12, 8, 5)
_TAG_SIZES: Final = (25, 15, 10, 6)
_BUDGET: Final = 15_000
"""How many rows the page may have by month, by day and by tag, before more names are folded."""
_TAG_KEYS: Final = 20
_EFFECTIVE: Final = KINDS.index(CostKind.EFFECTIVE)
_NOTHING: Final = Decimal(0)
_SAME: Final = "="
"""Marks an amount that equals the billed amount."""
_NAMES: Final = ("provider", "service", "sub_account")
_LISTED: Final = (*_NAMES, "tag_key", "tag_value", *VIEW_NAMES, "currency")

_Place = tuple[str, ...]
"""The month, or the month, the day and which purchase it is, then the source."""


def page_json(
    reports: tuple[SourceReport, ...], made_at: datetime, views: tuple[ViewReport, ...] = ()
) -> dict[str, object]:
    """Everything that the page shows, ready for JSON; `views` are those that could be read."""
    costs, daily, most = _folded_costs(reports)
    tags, most_values = _folded_tags(reports)
    names, sources = _NameLists(), [report.source for report in reports]
    return {
        "made_at": made_at.isoformat(timespec="seconds"),
        "kinds": [str(kind) for kind in KINDS],
        "sources": [_source(report) for report in reports],
        "costs": [names.row(fact, _NAMES, *_numbered(fact.place)) for fact in costs],
        "daily": [names.row(fact, _NAMES, *_numbered(fact.place)) for fact in daily],
        "tags": [_tag_row(names, fact) for fact in tags],
        "view": [
            names.row(fact, VIEW_NAMES, *_view_place(fact.place))
            for fact in folded_view(views, sources)
        ],
        "view_days": [
            names.row(fact, ("category",), *_view_place(fact.place))
            for fact in view_days(views, sources)
        ],
        "views": [view.name for view in views],
        "names": names.lists,
        "folded": {"names": most, "tag_values": most_values, "tag_keys": _TAG_KEYS},
        "trust": {
            **trust_json(reports),
            "faults": faults_json(views, sources),
            "left_out": left_out_json(views, sources),
        },
    }


def amount_text(amount: Decimal) -> str:
    """The exact number without an exponent or redundant zeros."""
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _folded_costs(
    reports: tuple[SourceReport, ...],
) -> tuple[list[Fact[_Place]], list[Fact[_Place]], int]:
    """The costs by month and by day with the same kept names, and the number of these."""
    labels = _sub_account_names(reports)
    by_month = [
        fact
        for index, report in enumerate(reports)
        for fact in _facts(report.months, index, labels)
    ]
    by_day = [
        fact for index, report in enumerate(reports) for fact in _facts(report.days, index, labels)
    ]
    costs, daily, most = by_month, by_day, 0
    # Fewer names until the rows fit. The names are chosen by month and used for days as well, so
    # that a name that is in one chart is also in the other.
    for most in _SIZES:
        folding = Folding.of(by_month, most)
        costs, daily = folding.apply(by_month), folding.apply(by_day)
        if len(costs) <= _BUDGET and len(daily) <= _BUDGET:
            break
    return costs, daily, most


def _folded_tags(reports: tuple[SourceReport, ...]) -> tuple[list[Fact[TagPlace]], int]:
    facts = facts_by_tag(reports, _TAG_KEYS)
    by_key: dict[str, list[Fact[TagPlace]]] = {}
    for fact in facts:
        by_key.setdefault(fact.place.key, []).append(fact)
    folded, most = facts, 0
    for most in _TAG_SIZES:
        folded = [
            fact for group in by_key.values() for fact in Folding.of(group, most).apply(group)
        ]
        if len(folded) <= _BUDGET:
            break
    return folded, most


def _sub_account_names(reports: Iterable[SourceReport]) -> dict[str, str]:
    """The newest name of each sub-account, by its id."""
    newest: dict[str, tuple[str, str]] = {}
    for report in reports:
        for cell in report.months.cells:
            month, _, _, identity, name, _ = cell.key
            if name:
                newest[identity] = max(newest.get(identity, ("", "")), (month, name))
    return {identity: name for identity, (_, name) in newest.items() if identity}


def _facts(cube: CostCube, source: int, labels: Mapping[str, str]) -> Iterable[Fact[_Place]]:
    places = kind_places(cube)
    for cell in cube.cells:
        *place, provider, service, identity, name, currency = cell.key
        for when, amounts in _charges(place, kind_amounts(cell, places)):
            yield Fact(
                place=(*when, str(source)),
                currency=currency,
                names=(Name(provider), Name(service), Name(labels.get(identity, name), identity)),
                amounts=amounts,
            )


def _charges(place: list[str], amounts: Amounts) -> Iterator[tuple[list[str], Amounts]]:
    """The charges that the rows of a cell are, as the view `focus` has them."""
    *when, purchase = place
    if purchase != "half_unused":
        yield place, amounts
        return
    yield (
        [*when, "recurring"],
        tuple(
            _NOTHING if at == _EFFECTIVE and one is not None else one
            for at, one in enumerate(amounts)
        ),
    )
    if amounts[_EFFECTIVE]:
        # What is unused is usage, and only its effective cost is not 0.
        yield (
            [*when, ""],
            tuple(one if at == _EFFECTIVE else None for at, one in enumerate(amounts)),
        )


def _numbered(place: _Place) -> tuple[str | int, ...]:
    *when, source = place
    return (*when, int(source))


def _view_place(place: _Place) -> tuple[str | int, ...]:
    month, source, *rest = place
    return (month, int(source), *rest)


def _source(report: SourceReport) -> dict[str, object]:
    kinds = {str(kind) for kind in KINDS}
    missing = {name: list(of) for name, of in report.months.missing.items() if name in kinds}
    missing |= {str(kind): [] for kind in KINDS if kind not in report.roles.costs}
    return {
        "name": report.source,
        "title": report.title,
        "table": report.table,
        "warehouse": report.warehouse,
        "error": report.error,
        "missing": missing if report.months.cells else {},
        "derived": {str(kind): text for kind, text in report.roles.derived.items()},
    }


def _tag_row(names: _NameLists, fact: Fact[TagPlace]) -> list[object]:
    place = fact.place
    key = names.index("tag_key", Name(place.key))
    provider = names.index("provider", Name(place.provider))
    return names.row(fact, ("tag_value",), key, place.month, place.source, provider)


@dataclass(slots=True)
class _NameLists:
    """Lists every name once, and returns its index."""

    lists: dict[str, list[dict[str, object]]] = field(
        default_factory=lambda: {name: [] for name in _LISTED}
    )
    known: dict[tuple[str, Name | Others], int] = field(default_factory=dict)

    def index(self, kind: str, name: Name | Others) -> int:
        if (kind, name) not in self.known:
            self.known[kind, name] = len(self.lists[kind])
            self.lists[kind].append(_name_entry(name))
        return self.known[kind, name]

    def row(
        self, fact: Fact[_Place] | Fact[TagPlace], kinds: tuple[str, ...], *place: str | int
    ) -> list[object]:
        """The place, the names, the currency, and the amounts, without repeated ones at the end."""
        at = [self.index(kind, name) for kind, name in zip(kinds, fact.names, strict=True)]
        currency = self.index("currency", Name(fact.currency))
        return [*place, *at, currency, *_amount_texts(fact.amounts)]


def _name_entry(name: Name | Others) -> dict[str, object]:
    if isinstance(name, Others):
        return {"others": name.count}
    return {"text": name.text, "id": name.id} if name.id else {"text": name.text}


def _amount_texts(amounts: Amounts) -> list[str | None]:
    texts = [None if amount is None else amount_text(amount) for amount in amounts]
    first, *rest = texts
    return [first, *(_SAME if text is not None and text == first else text for text in rest)]
