"""Loads a held run because a person accepted it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cloudbill.errors import ConfigError
from cloudbill.ledger import Ledger
from cloudbill.loading.events import Event
from cloudbill.loading.outcome import Outcome
from cloudbill.models import BillingPeriod, Manifest, PlannedLoad
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["accept_run"]


def accept_run(
    sources: Sequence[SourceSettings],
    period: BillingPeriod,
    run_id: str | None,
    listen: Callable[[Event], None],
) -> Outcome:
    """Accepts a held run of a month, records that, and loads the run.

    Without `run_id` it is the newest held run, provided that only one source has one. The decision
    is recorded before the load, so if the load fails, the next one does not hold the run again.

    Raises:
        ConfigError: If nothing is held, or more than one source holds a run of the month.
        CloudbillError: If a source cannot be planned, or the ledger cannot be written.
    """
    held = [
        (settings, manifest)
        for settings in sources
        for manifest in _held(settings, period)
        if run_id in {None, manifest.run_id}
    ]
    owners = list(dict.fromkeys(settings.source for settings, _ in held))
    if not held:
        what = f"run {run_id} of {period} is not held" if run_id else f"no run of {period} is held"
        raise ConfigError(f"Nothing to accept: {what}; `cloudbill load --dry-run` says what is")
    if len(owners) > 1:
        raise ConfigError(
            f"{' and '.join(owners)} both hold a run of {period}; say which with --source"
        )
    settings, manifest = held[0]
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        Ledger(settings, warehouse).accept(period, manifest.run_id)
    return load_source(settings, Selection(periods=frozenset({period})), listen)


def _held(settings: SourceSettings, period: BillingPeriod) -> list[Manifest]:
    """The runs that a load holds, or may hold once their rows are counted, newest first."""
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        present = read_present(settings, warehouse)
    selection = Selection(periods=frozenset({period}))
    plan = survey(settings, present, selection, lambda _: None).plan
    waiting = [skip.manifest for skip in plan.skips if skip.is_held]
    return waiting + [manifest for load in plan.loads for manifest in _uncounted(load)]


def _uncounted(load: PlannedLoad | None) -> Iterator[Manifest]:
    """The runs of a planned load that may turn out to have too few rows, newest first."""
    while load is not None and load.min_rows:
        yield load.manifest
        load = load.otherwise
