"""Keeps the FOCUS views of the datasets that some sources are in, or says what they would be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cloudbill.cli.each_source import attempt

if TYPE_CHECKING:
    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["together", "view_each_dataset", "with_views"]


def view_each_dataset(
    sources: Iterable[SourceSettings],
    say: Callable[[FocusPlan], None],
    failed: Callable[[SourceFailure], None],
    *,
    dry_run: bool,
) -> None:
    """Plans or makes the views of each dataset that some sources are in, with all its sources."""
    from cloudbill.focus.keeping import keep_views, look_at_views

    act = look_at_views if dry_run else keep_views
    for group in with_views(sources):
        attempt(None, lambda group=group: say(act(group)), failed)  # type: ignore[misc]


def with_views(sources: Iterable[SourceSettings]) -> tuple[tuple[SourceSettings, ...], ...]:
    """The configured sources of each dataset with views that some sources are in."""
    from cloudbill.focus.keeping import datasets_of
    from cloudbill.settings import SourceSettings, dlt_providers, read_each_source

    asked = list(sources)
    wanted = {settings.physical_table[:-1] for settings in asked}
    names = {settings.source for settings in asked}
    if not wanted:
        return ()
    configured = [
        one
        for one in read_each_source(dlt_providers(), os.environ)
        if isinstance(one, SourceSettings)
    ]
    # The warehouse is opened as the first of them says, and what others say may be wrong.
    return tuple(
        tuple(sorted(group, key=lambda settings: settings.source not in names))
        for group in datasets_of(configured)
        if group[0].physical_table[:-1] in wanted
    )


def together(sources: Iterable[SourceSettings]) -> list[frozenset[str]]:
    """The names of the sources that one view is over, for each of some sources' datasets."""
    from cloudbill.focus.keeping import datasets_of

    return [
        frozenset(settings.source for settings in group if settings.in_focus)
        for group in datasets_of(sources)
    ]
