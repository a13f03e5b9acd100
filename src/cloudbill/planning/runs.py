"""The runs of one month, each once and newest first, and how new the loaded one is; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord
from cloudbill.planning.guards import CLOCKS_DIFFER

__all__ = [
    "Age",
    "age_of",
    "is_newer",
    "loaded_age",
    "newest_first",
    "possible_time",
    "slices_of",
]

Age = tuple[datetime, bool, int, int, str, datetime]
"""What runs of a month are compared by: when they were submitted, whether the provider calls them
current, how many days and rows they have, their id, and when their manifest was written."""

_NEVER = datetime.min.replace(tzinfo=UTC)


def age_of(manifest: Manifest) -> Age:
    """How new a run is; the greater, the newer."""
    return (
        manifest.submitted_at,
        manifest.is_current,
        len(manifest.days or ()),
        -1 if manifest.rows is None else manifest.rows,
        manifest.run_id,
        manifest.stored_at or _NEVER,
    )


def newest_first(runs: Sequence[DiscoveredRun]) -> list[DiscoveredRun]:
    """Each delivery of a month once: a copy tool, or the provider, may leave one in two places.

    Two deliveries under one run id are two runs.
    """
    by_id: dict[str, list[DiscoveredRun]] = defaultdict(list)
    for run in runs:
        by_id[run.manifest.run_id].append(run)
    latest = max(run.manifest.submitted_at for run in runs)
    merged = [_merge(copies, latest) for same in by_id.values() for copies in _deliveries(same)]
    return sorted(merged, key=lambda run: age_of(run.manifest), reverse=True)


def _deliveries(same_id: list[DiscoveredRun]) -> Iterable[list[DiscoveredRun]]:
    if len(same_id) == 1:  # a digest takes time, and nearly every run id is there once
        return [same_id]
    by_digest: dict[str, list[DiscoveredRun]] = defaultdict(list)
    for run in same_id:
        by_digest[run.manifest.digest].append(run)
    return by_digest.values()


def _merge(copies: Iterable[DiscoveredRun], latest: datetime) -> DiscoveredRun:
    """The best of the copies of a run; where one of them is current, it is as new as the latest.

    The times of objects tell little after a checkout or a copy: a run that arrived later may be an
    older one.
    """
    best, *others = sorted(
        copies,
        key=lambda run: (len(run.missing), not run.manifest.is_current, run.manifest.path),
    )
    if not any(run.manifest.is_current for run in (best, *others)):
        return best
    return replace(best, manifest=replace(best.manifest, submitted_at=latest, is_current=True))


def loaded_age(
    record: LoadRecord | None, runs: Iterable[DiscoveredRun], *, now: datetime | None = None
) -> Age | None:
    """How new the loaded run is: as it was recorded, or as its own manifest says if that is newer.

    None where nothing is loaded, or where an older shape of the state did not keep the time and
    the run is gone from the store. A recorded time that had not come when it was recorded, nor has
    now, counts as the time of the load.
    """
    if record is None:
        return None
    ages = [age_of(run.manifest) for run in runs if record.is_of(run.manifest)]
    submitted_at = possible_time(record, now)
    if submitted_at is not None:
        if submitted_at != record.submitted_at:
            ages.clear()  # the manifest says the same
        rows = -1 if record.rows is None else record.rows
        days = len(record.days or ())
        ages.append((submitted_at, False, days, rows, record.run_id, _NEVER))
    return max(ages, default=None)


def possible_time(record: LoadRecord, now: datetime | None) -> datetime | None:
    """When the loaded run was submitted, or loaded if it says a time that has not come."""
    at = record.submitted_at
    if at is None or now is None:
        return at
    if at <= max(now, record.loaded_at or now) + CLOCKS_DIFFER:
        return at
    return record.loaded_at or at


def is_newer(manifest: Manifest, loaded: Age | None) -> bool:
    """Whether a run is newer than the loaded one."""
    # A loaded run whose time nobody knows any more is gone from the store as well, so what the
    # store holds is what the provider delivered since.
    if loaded is None:
        return True
    at, is_current, days, rows, *rest = loaded
    # What the manifest does not say is compared with nothing.
    days = 0 if manifest.days is None else days
    rows = -1 if manifest.rows is None else rows
    return age_of(manifest) > (at, is_current, days, rows, *rest)


def slices_of(runs: Iterable[DiscoveredRun]) -> frozenset[str]:
    """The identities of complete runs that have no day in common with another of their scope.

    Snapshots of one month all begin with its first day, so such runs are slices of it: a week, or
    a day.
    """
    by_scope: dict[str | None, list[Manifest]] = defaultdict(list)
    for run in runs:
        if run.is_complete and run.manifest.days:
            by_scope[run.manifest.scope].append(run.manifest)
    found: set[str] = set()
    for manifests in by_scope.values():
        if len(manifests) < 2:  # noqa: PLR2004 a pair
            continue
        spans = {m.path: (min(m.days or ()), max(m.days or ())) for m in manifests}
        earliest_end = min(end for _, end in spans.values())
        latest_begin = max(begin for begin, _ in spans.values())
        found |= {
            m.identity
            for m in manifests
            if spans[m.path][0] > earliest_end or spans[m.path][1] < latest_begin
        }
    return frozenset(found)
