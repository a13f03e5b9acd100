"""The files that a load job names."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulators.bigquery.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MAX_URIS = 10_000  # https://cloud.google.com/bigquery/quotas#load_jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file, under the address that the job knows it by."""

    uri: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


def find_sources(root: Path, uris: Sequence[str]) -> tuple[Source, ...]:
    """Every file that the addresses name, each of which must exist."""
    if len(uris) > _MAX_URIS:
        raise JobError("invalid", f"Too many source URIs: {len(uris)} > {_MAX_URIS}")
    return tuple(source for uri in uris for source in _find(root, uri))


def _find(root: Path, uri: str) -> list[Source]:
    scheme, _, rest = uri.partition("://")
    bucket, _, name = rest.partition("/")
    if scheme != "gs" or not name:
        raise JobError("invalid", f"Source URI must be a Google Cloud Storage location: {uri}", uri)
    if "*" in bucket or name.count("*") > 1:
        raise JobError("invalid", f"Invalid wildcard in source URI: {uri}", uri)
    # An object whose name holds an empty, `.` or `..` folder cannot lie in a directory.
    folders = name.split("/")
    hidden = any(folder in ("", ".", "..") for folder in folders)
    found = [] if hidden else _files(root / bucket, name)
    if not found:
        raise JobError("notFound", f"Not found: URI {uri}", uri)
    return found


def _files(bucket: Path, name: str) -> list[Source]:
    if "*" not in name:
        path = bucket / name
        return [Source(uri=f"gs://{bucket.name}/{name}", path=path)] if path.is_file() else []
    pattern = name.replace("[", "[[]").replace("?", "[?]")
    paths = ((path, path.relative_to(bucket).as_posix()) for path in sorted(bucket.rglob("*")))
    return [
        Source(uri=f"gs://{bucket.name}/{key}", path=path)
        for path, key in paths
        if path.is_file() and fnmatch.fnmatchcase(key, pattern)
    ]
