"""The address of a bucket or folder: read once, in one way."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["_SCHEMES", "_SECRET", "_split", "scheme_of"]

_SCHEMES: Final = {"file", "gs", "gcs", "s3", "s3a", "az", "abfs", "abfss"}

_SHORT_NAMES: Final = {"gcs": "gs", "s3a": "s3", "abfs": "az", "abfss": "az"}

_SECRET: Final = re.compile(r":[^/]*@|[?&]")


def scheme_of(bucket: str) -> str:
    """The store that a bucket is in: `file`, `gs`, `s3` or `az`."""
    scheme, _ = _split(bucket)
    return _SHORT_NAMES.get(scheme, scheme)


def _split(bucket: str) -> tuple[str, str]:
    if bucket.startswith(("/", ".", "~")):
        return "file", bucket
    scheme, separator, rest = bucket.partition("://")
    return (scheme.lower(), rest) if separator else ("gs", bucket)
