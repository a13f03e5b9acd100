"""Statements that are parsed and translated once, however often they are asked.

The emulator parses a statement some twenty times on its way to DuckDB, and the tests ask the same
few hundred statements of it: a third of what it computes.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import sqlglot
from bqemulator.domain.result import Ok
from bqemulator.sql.translator import SQLTranslator

__all__ = ["remember_statements"]

_REMEMBERED: Final = 2_000
_parse: Final = sqlglot.parse_one
_translate: Final = SQLTranslator.translate


def remember_statements() -> None:
    """Puts the two functions below in the place of those that they call."""
    parser: Any = sqlglot
    translator: Any = SQLTranslator
    parser.parse_one = _parse_once
    translator.translate = _translate_once


@functools.lru_cache(_REMEMBERED)
def _tree(sql: str, **options: Any) -> sqlglot.Expr:
    tree: sqlglot.Expr = _parse(sql, **options)
    return tree


def _parse_once(sql: str, **options: Any) -> sqlglot.Expr:
    # Whoever asks may change what it gets.
    return _tree(sql, **options).copy()


_translated: Final[dict[tuple[str, str, object], Ok[str]]] = {}


def _translate_once(
    self: SQLTranslator,
    bq_sql: str,
    *,
    schema: dict[str, Any] | None = None,
    caller: Any = None,
    **others: Any,
) -> Any:
    key = (bq_sql, repr(schema), caller)
    if key not in _translated:
        found = _translate(self, bq_sql, schema=schema, caller=caller, **others)
        if not isinstance(found, Ok):
            return found
        if len(_translated) >= _REMEMBERED:
            _translated.clear()
        _translated[key] = found
    return _translated[key]
