"""One query over the states of a pipeline and its tracking tables, whatever columns they have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.ledger_rows import STATE_TABLE, LedgerRows, stored_state

__all__ = ["LedgerQuery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    """The query, which knows how its rows are read; `statement` is None where no table is there.

    A row is a state (load id, version, text) or a row of a tracking table, as JSON.
    """

    statement: Fragment | None

    @classmethod
    def of(
        cls,
        columns: Mapping[str, frozenset[str]],
        dataset: tuple[str, ...],
        *,
        newest_only: bool,
    ) -> Self:
        """A query over the tables that have columns; the states are in the table of that name."""
        selects = [
            _states(there, (*dataset, name), newest_only=newest_only)
            if name == STATE_TABLE
            else _tracking_rows((*dataset, name))
            for name, there in columns.items()
            if there
        ]
        if not selects:
            return cls(statement=None)
        united = " UNION ALL ".join(select.text for select in selects)
        return cls(
            statement=Fragment(f"{united} ORDER BY is_state DESC, version DESC, load_id DESC")
        )

    @staticmethod
    def read(rows: Sequence[Sequence[Any]]) -> LedgerRows:
        """The states, the greatest version first, and the rows of the tracking tables."""
        return LedgerRows(
            states=tuple(stored_state(*row[1:]) for row in rows if row[0]),
            tracked=tuple(json.loads(row[3]) for row in rows if not row[0]),
        )


def _states(there: frozenset[str], table: tuple[str, ...], *, newest_only: bool) -> Fragment:
    def column(name: str, kind: str) -> Fragment:
        if name in there:
            return BIGQUERY.compose("{name}", name=name)
        return Fragment(f"CAST(NULL AS {kind})")

    load_id, version = column("_dlt_load_id", "STRING"), column("version", "INT64")
    text = column("state", "STRING")
    if newest_only:
        text = BIGQUERY.compose(
            "IF(ROW_NUMBER() OVER (ORDER BY {version} DESC, {load_id} DESC) = 1, {text}, NULL)",
            version=version,
            load_id=load_id,
            text=text,
        )
    return BIGQUERY.compose(
        "SELECT TRUE AS is_state, {load_id} AS load_id, {version} AS version, {text} AS text "
        "FROM {table} WHERE IFNULL({pipeline}, @pipeline) = @pipeline",
        load_id=load_id,
        version=version,
        text=text,
        table=table,
        pipeline=column("pipeline_name", "STRING"),
    )


def _tracking_rows(table: tuple[str, ...]) -> Fragment:
    return BIGQUERY.compose(
        "SELECT FALSE AS is_state, CAST(NULL AS STRING) AS load_id, "
        "CAST(NULL AS INT64) AS version, TO_JSON_STRING(tracked) AS text FROM {table} AS tracked",
        table=table,
    )
