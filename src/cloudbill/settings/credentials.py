"""What is configured of credentials: names of keys and where they are, and no values.

dlt reads the values itself, and passes over every key that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from cloudbill.errors import ConfigError
from cloudbill.settings.lookup import Lookup
from cloudbill.settings.sections import suggestion

__all__ = ["CREDENTIALS", "WrittenKey", "unknown_credential", "written_keys"]

CREDENTIALS: Final = "credentials"
_SCHEMES: Final = ("gs", "s3", "az")
_BIGQUERY: Final = ("destination", "bigquery")
# Google writes them into the file of a key, or of a user who signed in, which may be copied as a
# whole, and dlt needs none.
_ONLY_IN_KEY_FILES: Final = frozenset(
    {
        "account",
        "auth_provider_x509_cert_url",
        "client_x509_cert_url",
        "quota_project_id",
        "universe_domain",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenKey:
    """A key of credentials that somebody wrote: in a variable, or in a section of a file."""

    name: str
    section: str
    variable: str = ""
    file: str = ""


def written_keys(
    lookup: Lookup, env: Mapping[str, str], sections: Iterable[tuple[str, ...]]
) -> Iterator[WrittenKey]:
    """Every key of credentials below sections, the environment first."""
    for at in sections:
        section = ".".join((*at, CREDENTIALS))
        prefix = "__".join((*at, CREDENTIALS, "")).upper()
        for variable in sorted(env):
            if variable.startswith(prefix):
                name = variable.removeprefix(prefix).lower().replace("__", ".")
                yield WrittenKey(name=name, section=section, variable=variable)
        for place in lookup.places(CREDENTIALS, dict, at):
            for name in place.value if isinstance(place.value, Mapping) else ():
                yield WrittenKey(name=name, section=section, file=place.file)


def unknown_credential(
    lookup: Lookup, env: Mapping[str, str], *, scheme: str, is_bigquery: bool
) -> ConfigError | None:
    """What is wrong with the credentials of a source: a key that no cloud has.

    Sections may be shared, so those of every cloud are known; the nearest is of its own.
    """
    if scheme in _SCHEMES:
        for key in written_keys(lookup, env, lookup.sections()):
            if key.name not in _fields(*_SCHEMES) | _ONLY_IN_KEY_FILES:
                return _unknown(key, scheme)
    for key in written_keys(lookup, env, [_BIGQUERY]) if is_bigquery else ():
        if key.name not in _fields("gs") | _ONLY_IN_KEY_FILES:
            return _unknown(key, "gs")
    return None


def _unknown(key: WrittenKey, scheme: str) -> ConfigError:
    by = f", by the variable {key.variable}" if key.variable else ""
    hint = suggestion(key.name, sorted(_fields(scheme)))
    return ConfigError(f"Unknown key '{key.name}' in [{key.section}]{by}.{hint}")


def _fields(*schemes: str) -> set[str]:
    """The keys of credentials that dlt knows."""
    from dlt.common.storages.configuration import FilesystemConfiguration

    found: set[str] = set()
    for scheme in schemes:
        hint = FilesystemConfiguration.PROTOCOL_CREDENTIALS[scheme]
        for spec in get_args(hint) or (hint,):
            found |= {*spec.get_resolvable_fields()}
    return found
