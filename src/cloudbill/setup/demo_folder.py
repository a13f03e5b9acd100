"""The folder of `cloudbill demo`: nothing of anybody else is in it, and no other settings apply."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cloudbill.disk.exchanging import write_in_one_step
from cloudbill.disk.room import not_written
from cloudbill.errors import ConfigError
from cloudbill.settings import Misconfigured, SourceSettings
from cloudbill.settings.values import fault_of_database_path

__all__ = [
    "DATABASE",
    "EXPORTS",
    "claim_folder",
    "leave_other_settings",
    "make_exports",
    "require_demo_settings",
]

EXPORTS: Final = "exports"
DATABASE: Final = "cloudbill.duckdb"
_ELSEWHERE: Final = "name another folder with --folder"
_MARK: Final = """\
# `cloudbill demo` made this folder and writes to it. Remove it when you are done with it.
*
"""
_CONFIG: Final = f"""\
# The invented bills of `cloudbill demo`. Every key is in the README of cloudbill.

[sources]
database = "{DATABASE}"

[sources.azure_billing]
bucket = "./{EXPORTS}/azure"
prefix = "billing"
export_name = "focus-daily"

[sources.aws_billing]
bucket = "./{EXPORTS}/aws"
prefix = "cur"
export_name = "cur-hourly"

[runtime]
log_level = "CRITICAL"
dlthub_telemetry = false
"""
_SOURCES: Final = frozenset({"azure_billing", "aws_billing"})
_VARIABLES: Final = ("SOURCES__", "DLT_PROJECT_DIR", "DLT_CONFIG_FOLDER", "DLT_LOCAL_DIR")


def claim_folder(folder: Path) -> None:
    """Makes the folder with its mark and its configuration, unless it is there already.

    Raises:
        ConfigError: If it has anything in it and no mark, if its configuration is another one, if
            DuckDB cannot keep a file in it, or if it cannot be written.
    """
    mark, config = folder / ".gitignore", folder / ".dlt" / "config.toml"
    fault = fault_of_database_path((folder / DATABASE).absolute())
    if fault is not None:
        raise ConfigError(f"{fault}; {_ELSEWHERE}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            write_in_one_step(mark, _MARK.encode())
        if not _has(mark, _MARK):
            raise ConfigError(
                f"{folder} has things in it that `cloudbill demo` did not write, so nothing was "
                f"written there; {_ELSEWHERE}"
            )
        if not config.exists():
            write_in_one_step(config, _CONFIG.encode())
        if not _has(config, _CONFIG):
            raise ConfigError(
                f"{config} is not what this `cloudbill demo` writes, so nothing was loaded. Remove "
                f"{folder} to begin again, or {_ELSEWHERE}"
            )
    except OSError as error:
        reason = not_written(error, folder, remedy=_ELSEWHERE)
        raise ConfigError(f"The demo cannot be written to {folder}: {reason}") from error


def make_exports(folder: Path, write: Callable[[Path], object]) -> bool:
    """Lets the exports be written, all or none of them; says whether they were not there before.

    Raises:
        OSError: If they cannot be written.
    """
    target = folder / EXPORTS
    if target.exists():
        return False
    made = Path(tempfile.mkdtemp(prefix=f"{EXPORTS}.", dir=folder))
    try:
        write(made / EXPORTS)
        try:
            (made / EXPORTS).rename(target)
        except OSError:
            if not target.exists():
                raise
            # Another process was faster, and has written the same.
    finally:
        shutil.rmtree(made)
    return True


def leave_other_settings(environment: MutableMapping[str, str]) -> tuple[str, ...]:
    """Takes the variables out that would override the configuration; gives their names."""
    found = tuple(sorted(name for name in environment if name.startswith(_VARIABLES)))
    for name in found:
        del environment[name]
    return found


def require_demo_settings(found: Iterable[SourceSettings | Misconfigured], folder: Path) -> None:
    """Refuses to load by settings that are not those of the demo.

    Raises:
        ConfigError: If they come from another file of dlt, such as one in the home of the user.
    """
    root = folder.resolve()
    read = [one for one in found if isinstance(one, SourceSettings)]
    is_ours = {one.source for one in read} == _SOURCES and all(
        one.project_id is None
        and Path(one.bucket).resolve().is_relative_to(root)
        and one.database.resolve().is_relative_to(root)
        for one in read
    )
    if not is_ours:
        raise ConfigError(
            f"Another configuration than that of {folder} applies there, so nothing was loaded. "
            f"`cloudbill config show` in that folder says where each value comes from"
        )


def _has(file: Path, text: str) -> bool:
    with suppress(FileNotFoundError):
        return file.read_bytes() == text.encode()
    return False
