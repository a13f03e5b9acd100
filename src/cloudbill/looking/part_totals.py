"""Reads the parts of a run again, only for their rows and costs; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudbill.files.each_part import sum_days

if TYPE_CHECKING:
    from cloudbill.costs.daily_totals import DailyTotals
    from cloudbill.manifests import Manifest
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["sum_parts"]


def sum_parts(
    store: Store, manifest: Manifest, settings: SourceSettings, headers: Mapping[str, str]
) -> DailyTotals:
    """The rows and exact cost totals of a run's parts, by currency and day.

    Of a run over several months they are those of the month of the manifest. `headers` gives, for
    every column of the table, the header of a CSV that it came from.

    Raises:
        PartMissingError: If a part is gone.
        StoreError: If a part cannot be read, or has a value that no table can store.
        CloudbillError: If `memory_limit` is too low.
    """
    return sum_days(
        store,
        manifest,
        provider=settings.provider,
        memory_limit=settings.memory_limit,
        headers=headers,
    )
