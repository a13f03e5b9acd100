"""Names of columns that BigQuery refuses, found before a job has to say so; pure.

Source: BigQuery, "Specify a schema" (column names, flexible column names).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from cloudbill.errors import SchemaError
from cloudbill.files.columns import RENAME, RESERVED_PREFIXES

if TYPE_CHECKING:
    from cloudbill.manifests import Column

__all__ = ["fault_of_name", "require_names"]

# Those that the page lists as not supported. Of signs that it lists nowhere, such as a currency
# sign, the service says itself what it makes of them.
_UNSUPPORTED: Final = frozenset('!"$()*,./;?@[\\]^`{}~')
_LONGEST: Final = 300


def fault_of_name(name: str) -> str | None:
    """Why BigQuery takes no column of this name, or None where that is not certain."""
    prefix = next((one for one in RESERVED_PREFIXES if name.lower().startswith(one)), None)
    if prefix is not None:
        return f"names that begin with {prefix.upper()} are its own"
    found = sorted(_UNSUPPORTED & {*name})
    if found:
        return f"it takes no {' and no '.join(found)} in a name"
    if len(name) > _LONGEST:
        return f"it has {len(name)} characters, and at most {_LONGEST} are allowed"
    return None


def require_names(parts: Iterable[tuple[str, Iterable[Column]]]) -> None:
    """Refuses columns that keep the names of their files, of which BigQuery takes one for illegal.

    Each part has its address, for messages.

    Raises:
        SchemaError: If there is one.
    """
    for address, columns in parts:
        for column in columns:
            fault = fault_of_name(column.target)
            if fault is not None:
                raise SchemaError(
                    f"BigQuery takes no column with the name {column.target!r}, as {address} "
                    f"has one: {fault}. The month was not changed. {RENAME}"
                )
