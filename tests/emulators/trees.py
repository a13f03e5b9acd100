"""Directories of files, as objects of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def named_files(local: Path, prefix: str) -> list[tuple[str, Path]]:
    """Every file below a directory, under the name it has in a bucket: ``prefix/its/path``."""
    stem = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    paths = sorted(path for path in local.rglob("*") if path.is_file())
    return [(stem + path.relative_to(local).as_posix(), path) for path in paths]
