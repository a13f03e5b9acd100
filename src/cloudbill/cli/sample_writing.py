"""Writes sample exports, and shows how many of them are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from cloudbill.cli.output import progress_of

if TYPE_CHECKING:
    from cloudbill.sample import AwsForm, WrittenRun

__all__ = ["Size", "write_both", "writing_to"]


class Size(TypedDict):
    """How large a sample is, and which."""

    months: int
    rows: int
    seed: int


def write_both(
    directory: Path, size: Size, forms: Sequence[AwsForm], *, overwrite: bool = False
) -> tuple[WrittenRun, ...]:
    """Writes a bill of Azure, and one of AWS in each of some forms."""
    from cloudbill.sample import write_aws, write_azure

    with progress_of("Writing runs of Azure") as listen:
        runs = write_azure(directory / "azure", **size, listen=listen)
    for form in forms:
        with progress_of(f"Writing runs of AWS, {form}") as listen:
            runs += write_aws(
                directory / "aws", **size, form=form, overwrite=overwrite, listen=listen
            )
    return runs


def writing_to(directory: Path, write: Callable[[], object]) -> None:
    """Writes into a folder.

    Raises:
        ConfigError: If that cannot be, or there is no room.
    """
    from cloudbill.disk.room import full_disk_of
    from cloudbill.errors import ConfigError

    try:
        write()
    except BrokenPipeError:
        raise
    except OSError as error:
        full = full_disk_of(error, directory, remedy="name another folder")
        reason = full or f"{error.strerror or error}. Name another folder"
        raise ConfigError(f"The sample cannot be written to {directory}: {reason}") from error
