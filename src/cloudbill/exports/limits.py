"""The limits of a manifest, which anybody who can write to the store may have written.

Sources: BigQuery, "Quotas and limits" (URIs of a load job, columns of a table), "Specify a schema"
(column names), "Loading data: wildcards"; GCS, S3 and Azure, names of objects (1,024 bytes or
characters).
"""

from __future__ import annotations

import re
from typing import Final

from cloudbill.errors import ManifestError
from cloudbill.manifests import Manifest

__all__ = ["MAX_MONTHS", "MAX_NAME", "UNPRINTABLE", "require_manifest", "require_path", "shown"]

_MAX_PARTS: Final = 10_000
MAX_MONTHS: Final = 36
_MAX_PATH_BYTES: Final = 1024
MAX_NAME: Final = 300
_SHOWN: Final = 80
# They could forge lines in logs, and no cloud writes them.
UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def require_path(path: str) -> None:
    """Refuses the path of a manifest that cannot be printed safely.

    Raises:
        ManifestError: If it has control characters.
    """
    if UNPRINTABLE.search(path):
        raise ManifestError("Control characters are in the path", path=shown(path))


def require_manifest(manifest: Manifest, *, root: str) -> None:
    """Refuses a run with parts outside its export, or larger than a warehouse can load.

    Raises:
        ManifestError: If it has too many parts, or the name of a part is too long or a pattern.
    """
    if len(manifest.parts) > _MAX_PARTS:
        raise ManifestError(
            f"{len(manifest.parts)} parts are more than the {_MAX_PARTS} that one load takes; let "
            "the export write larger files:",
            path=manifest.path,
        )
    if len(manifest.spans) > MAX_MONTHS:
        raise ManifestError(
            f"The run covers more than {MAX_MONTHS} months, so its range is taken for a mistake:",
            path=manifest.path,
        )
    if len(manifest.run_id) > MAX_NAME:
        raise ManifestError(
            f"The id of the run has {len(manifest.run_id)} characters, not at most {MAX_NAME}:",
            path=manifest.path,
        )
    for part in manifest.parts:
        problem = _problem_of(part.path, root)
        if problem is not None:
            raise ManifestError(f"The part {shown(part.path)} {problem}:", path=manifest.path)


def _problem_of(path: str, root: str) -> str | None:
    if not path.startswith(root) or {".", ".."} & {*path.split("/")}:
        return "lies outside the export"
    if len(path.encode("utf-8", "surrogatepass")) > _MAX_PATH_BYTES:
        return f"has a name of more than {_MAX_PATH_BYTES} bytes"
    if UNPRINTABLE.search(path):
        return "has control characters in its name"
    return None


def shown(text: str) -> str:
    """A text that nobody vouches for, as it may be shown: without control characters, and short."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
