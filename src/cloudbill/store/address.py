"""The address of a bucket or a folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloudbill.errors import ConfigError, StoreError
from cloudbill.text.paths import IS_WINDOWS, fault_of_windows_path, windows_path

__all__ = ["Address", "parse_address", "require_inside"]

_TITLES: Final[Mapping[str, str]] = {
    "file": "disk",
    "gs": "GCS",
    "s3": "S3",
    "az": "Azure Blob Storage",
}
# Other spellings that users of these stores know.
_SPELLINGS: Final[Mapping[str, str]] = {"gcs": "gs", "s3a": "s3", "abfs": "az", "abfss": "az"}
# Google, "Bucket naming": lower case, digits, and three signs.
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
# A password or a token before an @, or a query string such as a shared access signature.
_CREDENTIALS: Final = re.compile(r":[^/]*@|[?&]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where exports are: `scheme` is `file`, `gs`, `s3` or `az`, `place` the folder or bucket."""

    scheme: str
    place: str

    @property
    def title(self) -> str:
        """The name of the store for people: `GCS`."""
        return _TITLES[self.scheme]


def parse_address(
    bucket: str, *, section: str = "sources", is_windows: bool = IS_WINDOWS
) -> Address:
    """Reads a bucket name (then `gs://`), a URL, or a path.

    A path starts with `/`, `.` or `~`, on Windows also with a drive or two backslashes.
    `section` is the configuration section for credentials, for the message.

    Raises:
        ConfigError: If the scheme is unknown, no bucket is named, credentials are in the text, or
            it is a path of Windows elsewhere.
    """
    path = windows_path(bucket)
    if path is not None:
        fault = fault_of_windows_path(path, is_windows=is_windows)
        if fault is not None:
            raise ConfigError(f"'bucket' is '{path}'. That {fault}")
        return Address(scheme="file", place=path)
    if bucket.startswith(("/", ".", "~")):
        return Address(scheme="file", place=bucket)
    written, separator, rest = bucket.partition("://")
    scheme = _SPELLINGS.get(written.lower(), written.lower())
    if not separator:
        scheme, rest = "gs", bucket
        if bucket.strip("/") and not _BUCKET.fullmatch(bucket.partition("/")[0]):
            raise ConfigError(
                f"'{bucket}' is neither the name of a bucket nor a path: a path starts with /, . "
                "or ~, and a URL with gs://, s3:// or az://"
            )
    if scheme not in _TITLES:
        known = ", ".join(f"{scheme}://" for scheme in _TITLES)
        raise ConfigError(
            f"'{written}://' is not a known store; give a bucket name (then gs://), a URL with "
            f"one of {known}, or a path that starts with / or ."
        )
    if scheme != "file" and not rest.strip("/"):
        raise ConfigError(f"'{bucket}' names no bucket; give its name, a URL or a path")
    if scheme != "file" and _CREDENTIALS.search(rest):
        raise ConfigError(
            "'bucket' contains credentials, which would appear in logs and errors; put them into "
            f".dlt/secrets.toml, [{section}.credentials]"
        )
    return Address(scheme=scheme, place=rest)


def require_inside(path: str, *, is_key: bool = False) -> None:
    """Refuses a path that may lead out of the bucket or folder.

    With `is_key` it may begin with a slash: the key of an object leads nowhere by that.

    Raises:
        StoreError: If it is absolute, or has a part that leads upwards.
    """
    is_absolute = path.startswith("/") and not is_key
    if is_absolute or "\0" in path or {".", ".."} & {*path.split("/")}:
        raise StoreError(f"{path[:80]!r} is not a path inside the store")
