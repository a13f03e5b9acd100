"""Checks the machine: versions, clients, the configuration file, and free disk space."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.disk.installation import adding_extra
from cloudbill.disk.room import (
    MOUNTED_READ_ONLY,
    duckdb_needs,
    existing_folder,
    is_read_only,
)
from cloudbill.doctor.check import Check
from cloudbill.errors import ConfigError
from cloudbill.store.address import parse_address
from cloudbill.text.counts import counted
from cloudbill.text.sizes import shown_size

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["check_clients", "check_configuration", "check_disk", "check_versions", "unwritable"]

_CLIENTS: Final = {
    "gs": ("gcsfs",),
    "s3": ("s3fs",),
    "az": ("adlfs",),
    "bigquery": ("google.cloud.bigquery", "gcsfs", "pyarrow"),
}
_PACKAGES: Final = ("dlt", "duckdb", "google-cloud-bigquery", "gcsfs", "s3fs", "adlfs")


def check_versions() -> Check:
    """The installed versions; clients that are not installed are left out."""
    found = [f"Python {platform.python_version()}", f"cloudbill {version('cloudbill')}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return Check(subject="versions", found=", ".join(found))


def check_configuration(sources: Sequence[SourceSettings], ended: Sequence[SourceFailure]) -> Check:
    """The files that dlt found, how many sources they and the environment name, and what is wrong.

    `ended` are the sources that could not be examined, and why.
    """
    from cloudbill.settings import dlt_providers

    files = [
        str(Path(file))
        for provider in dlt_providers()
        for file in getattr(provider, "present_locations", ())
    ]
    where = ", ".join(files) or f"no file in {Path.cwd() / '.dlt'}, but the environment"
    names = ", ".join(settings.source for settings in sources)
    found = f"{where}: {counted(len(sources), 'source')} ({names})"
    broken = [failure for failure in ended if isinstance(failure.error, ConfigError)]
    if not broken:
        return Check(subject="configuration", found=found)
    others = ", ".join(failure.source or "all" for failure in broken)
    return Check(
        subject="configuration",
        found=f"{found} can be read, and not {others}",
        remedy="what is wrong stands below",
        exit_code=ConfigError.exit_code,
    )


def check_clients(settings: SourceSettings) -> Iterator[Check]:
    """The missing clients that the store and the warehouse of a source need."""
    extras = [_scheme_of(settings)]
    if settings.project_id is not None:
        extras.append("bigquery")
    for extra in extras:
        missing = [module for module in _CLIENTS.get(extra, ()) if not _is_installed(module)]
        if missing:
            yield Check(
                subject=f"{settings.source}: client",
                found=f"{', '.join(missing)} is not installed",
                remedy=adding_extra(extra),
            )


def _scheme_of(settings: SourceSettings) -> str:
    try:
        return parse_address(settings.bucket).scheme
    except ConfigError:  # the check of the store says so
        return ""


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package of the module is missing
        return False


def check_disk(
    settings: SourceSettings, sizes: Sequence[int], *, is_local: bool
) -> Iterator[Check]:
    """Compares free disk space with what the next load needs; `sizes` are the bytes of its months.

    Parts in a bucket pass through the folder for temporary files, one month at a time.
    """
    if settings.project_id is None:
        yield _room(
            f"{settings.source}: disk",
            existing_folder(settings.database.parent),
            duckdb_needs(sum(sizes)),
            "about 4 times its parts",
            one_by_one=duckdb_needs(max(sizes, default=0)),
        )
    if not is_local and (settings.project_id is None or _scheme_of(settings) != "gs"):
        needed = max(sizes, default=0)
        folder = Path(tempfile.gettempdir())
        yield _room(f"{settings.source}: temporary files", folder, needed, "its largest month")


def unwritable(subject: str, place: Path) -> Check:
    """The check of a file or folder that cannot be written: why, and what helps."""
    if is_read_only(place):
        found = f"{place} cannot be written, for its disk is read-only"
        return Check(subject=subject, found=found, remedy=MOUNTED_READ_ONLY)
    remedy = "give the user that runs this permission to write it"
    return Check(subject=subject, found=f"{place} cannot be written", remedy=remedy)


def _room(
    subject: str, folder: Path, needed: int, why: str, *, one_by_one: int | None = None
) -> Check:
    """Whether a load has room; `one_by_one` is what the largest month needs, if that is less."""
    free = shutil.disk_usage(folder).free
    found = (
        f"{shown_size(free)} free in {folder}, and the next load needs {shown_size(needed)} ({why})"
        if needed
        else f"{shown_size(free)} free in {folder}, and there is nothing to load"
    )
    if free >= needed and os.access(folder, os.W_OK | os.X_OK):
        return Check(subject=subject, found=found)
    if free >= needed:
        return unwritable(subject, folder)
    is_enough_for_one = one_by_one is not None and one_by_one <= free
    singly = ", or load one `--month` after the other" if is_enough_for_one else ""
    return Check(subject=subject, found=found, remedy=f"free some space{singly}")
