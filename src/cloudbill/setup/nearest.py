"""Looks in a bucket for the names that somebody may have meant; only reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cloudbill.errors import CloudbillError
from cloudbill.setup.export_search import FoundExport, find_exports
from cloudbill.store.folders import open_browser
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store
    from cloudbill.store.folders import Browser

__all__ = ["nearest_names"]

_PATIENCE_S: Final = 20.0
"""It is only a hint, so nobody waits long for it."""
_MAX_FOLDERS: Final = 200
_SHOWN: Final = 3


def nearest_names(store: Store, settings: SourceSettings) -> str:
    """A sentence with the exports and folders whose names are nearest to what is configured.

    Where the account may not look around, it says only what to check.
    """
    section = f"[sources.{settings.source}]"
    check = f"Check 'prefix' and 'export_name' in {section}; `cloudbill init` looks for exports"
    wanted = "/".join(filter(None, f"{settings.prefix}/{settings.export_name}".split("/")))
    with suppress(CloudbillError):
        browser = open_browser(
            store,
            sections=settings.sections,
            retry_for_s=min(settings.retry_for_s, _PATIENCE_S),
        )
        above, below = _nearest_folder(browser, wanted)
        for start in dict.fromkeys((above, "")):
            exports = find_exports(store, browser, start, max_folders=_MAX_FOLDERS).exports
            if exports:
                return f"The nearest in the bucket: {_listed(exports, wanted)}. {check}"
        place = store.uri(above)
        if below:
            names = ", ".join(f"'{name}'" for name in _nearest(wanted.rpartition("/")[2], below))
            return f"No export was found in {place}; its folders are called {names}. {check}"
        return f"There is no folder in {place}. {check}"
    return check


def _nearest_folder(browser: Browser, wanted: str) -> tuple[str, Sequence[str]]:
    """The deepest folder above the wanted one that has any, and the folders in it."""
    above, below = "", browser.folders("")
    for name in wanted.split("/"):
        inner = browser.folders(f"{above}{name}/") if name in below else ()
        if not inner:
            break
        above, below = f"{above}{name}/", inner
    return above, below


def _listed(exports: Sequence[FoundExport], wanted: str) -> str:
    by_name = {f"{one.prefix}/{one.export_name}".strip("/"): one for one in reversed(exports)}
    return ", ".join(
        f"prefix '{by_name[name].prefix}' with export_name '{by_name[name].export_name}' "
        f"({by_name[name].provider.TITLE}, {counted(by_name[name].months, 'month')})"
        for name in _nearest(wanted, by_name)
    )


def _nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that are most like the wanted one, the likest first."""
    return difflib.get_close_matches(wanted, list(names), n=_SHOWN, cutoff=0.0)
