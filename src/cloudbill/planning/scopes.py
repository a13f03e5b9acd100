"""Which scope a month is of: what the provider bills as one, such as a subscription; pure.

Exports of two scopes may share a name and a folder. The runs of one then never replace those of the
other, for a table holds a month of one scope.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod

__all__ = ["ScopeFrom", "Scopes", "find_scopes", "scopes_of_loaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeFrom:
    """The scope of a source from a month on, until another one follows."""

    scope: str
    since: BillingPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Scopes:
    """The scope of each month; empty where nothing is known, which holds nothing.

    `rivals` has the scopes that deliver one month where none of them is established.
    """

    established: tuple[ScopeFrom, ...] = ()
    rivals: frozenset[str] = frozenset()

    def of(self, period: BillingPeriod) -> str | None:
        """The scope of a month; months before the first that is known are of the first."""
        found = [one for one in self.established if one.since <= period]
        chosen = found[-1] if found else next(iter(self.established), None)
        return None if chosen is None else chosen.scope

    def hold(self, manifest: Manifest) -> str | None:
        """Why a run is held for its scope, or None."""
        scope = manifest.scope
        if scope is None:
            return None
        established = self.of(manifest.period)
        if established is None:
            if scope not in self.rivals:
                return None
            others = " and ".join(sorted(self.rivals))
            return f"held: the scopes {others} deliver this month; set 'scope', or accept one"
        if scope == established:
            return None
        return f"held: it is of scope {scope}, the loaded runs are of scope {established}"


def find_scopes(runs: Iterable[DiscoveredRun], known: Mapping[BillingPeriod, str]) -> Scopes:
    """The scopes that a ledger knows, by their first month, else that of a month with only one."""
    if known:
        return Scopes(
            established=tuple(
                ScopeFrom(scope=scope, since=since) for since, scope in sorted(known.items())
            )
        )
    by_month: dict[BillingPeriod, set[str]] = defaultdict(set)
    for run in runs:
        if run.is_complete and run.manifest.scope is not None:
            by_month[run.manifest.period].add(run.manifest.scope)
    every = {scope for scopes in by_month.values() for scope in scopes}
    if len(every) < 2:  # noqa: PLR2004 another one
        return Scopes()
    for period in sorted(by_month, reverse=True):
        if len(by_month[period]) == 1:
            (scope,) = by_month[period]
            return Scopes(established=(ScopeFrom(scope=scope, since=min(by_month)),))
    return Scopes(rivals=frozenset(every))


def scopes_of_loaded(
    runs: Iterable[DiscoveredRun], loaded: Mapping[BillingPeriod, LoadRecord]
) -> dict[BillingPeriod, str]:
    """The scope of each loaded month, for a ledger that has lost which one its source has."""
    found = {period: record.scope for period, record in loaded.items()}
    for run in runs:
        record = loaded.get(run.manifest.period)
        if record is not None and record.scope is None and record.is_of(run.manifest):
            found[record.period] = run.manifest.scope
    return {period: scope for period, scope in found.items() if scope is not None}
