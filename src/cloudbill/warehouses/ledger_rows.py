"""What a warehouse has of a ledger: the states that dlt stored, and the tracking table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "LedgerRows",
    "STATE_TABLE",
    "StoredState",
    "VERSION_TABLE",
    "stored_state",
]

VERSION_TABLE: Final = "_dlt_version"
STATE_TABLE: Final = "_dlt_pipeline_state"
"""Where dlt keeps the states of all pipelines of a dataset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """A state that dlt stored for a pipeline.

    `load_id` is dlt's id of the load package that brought it, `version` how often dlt saw it
    change; either is None where the table has lost that column. `text` is the state as dlt encodes
    it, None where it was not asked for.
    """

    load_id: str | None
    version: int | None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRows:
    """The states of a pipeline, the greatest version first, and the rows of its tracking tables."""

    states: tuple[StoredState, ...] = ()
    tracked: tuple[Mapping[str, object], ...] = ()


def stored_state(load_id: object, version: object, text: object) -> StoredState:
    """A row of the table of states; what a person put there in another type counts as lost."""
    return StoredState(
        load_id=load_id if isinstance(load_id, str) else None,
        version=version if isinstance(version, int) else None,
        text=text if isinstance(text, str) else None,
    )
