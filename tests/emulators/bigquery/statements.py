"""Statements that are parsed and translated once, however often they are asked.

The emulator parses a statement some twenty times on its way to DuckDB, and the tests ask the same
few hundred statements of it: a third of what it computes.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import sqlglot
from bqemulator.api.routes import jobs
from bqemulator.catalog import ddl_sync
from bqemulator.domain.result import Ok
from bqemulator.jobs import ddl_result, executor, routine_ddl
from bqemulator.sql import table_rewriter
from bqemulator.sql.rewriter import row_access_filter
from bqemulator.sql.translator import SQLTranslator
from sqlglot.dialects import BigQuery

from emulators.bigquery.schema import BIGNUMERIC_STORAGE

if TYPE_CHECKING:
    from bqemulator.catalog.memory_repository import MemoryCatalogRepository

__all__ = ["remember_statements"]

_REMEMBERED: Final = 2_000
_parse: Final = sqlglot.parse_one
_translate: Final = SQLTranslator.translate
_reject: Final = executor._reject_dml_on_immutable  # noqa: SLF001
_capture: Final = executor._capture_dml_snapshots  # noqa: SLF001
_restrict: Final = row_access_filter.rewrite_for_row_access
_qualify: Final = table_rewriter.rewrite_table_refs

_POSITION: Final = frozenset({"line", "col", "start", "end"})
_OF_THE_TEXT_ALONE: Final[tuple[tuple[Any, str], ...]] = (
    (ddl_sync, "_detect_catalog_drop"),
    (ddl_sync, "_detect_create_schema"),
    (ddl_sync, "_detect_plain_create_table"),
    (ddl_sync, "_detect_plain_create_view"),
    (executor, "_parse_script_or_raise"),
    (executor, "classify_statement_type"),
    (routine_ddl, "detect_drop_routine"),
)
"""Functions of a statement and of nothing else, whose answers are only read."""
_READERS: Final = frozenset(
    {
        "_capture_dml_snapshots",
        "_detect_catalog_drop",
        "_detect_create_schema",
        "_detect_plain_create_table",
        "_detect_plain_create_view",
        "_extract_ddl_metadata",
        "_is_row_producing",
        "_parse_for_classification",
        "_reject_dml_on_immutable",
        "_times",
        "build_catalog_schema",
        "check_statement",
        "detect_drop_routine",
        "protects_rows",
        "require_filters",
    }
)
"""Functions that only read the tree they ask for."""


def remember_statements() -> None:
    """Puts functions that remember in the place of those that they call."""
    parser: Any = sqlglot
    translator: Any = SQLTranslator
    parser.parse_one = _parse_once
    translator.translate = _translate_once
    _replace(_qualify, _qualify_once)
    # `FROM t, t.tags` without UNNEST, which nobody writes here: to look for it, the parser copies
    # every subquery as often as it is nested.
    BigQuery.parser_class.SUPPORTS_IMPLICIT_UNNEST = False
    for module, name in _OF_THE_TEXT_ALONE:
        _remember(getattr(module, name))
    _replace(_restrict, _restrict_if_any_is_restricted)
    for module in (jobs, ddl_result):
        _replace(module._has_not_null_constraint, _is_not_null)  # noqa: SLF001
    changed: Any = executor
    changed._reject_dml_on_immutable = _reject_changes_alone  # noqa: SLF001
    changed._capture_dml_snapshots = _capture_changes_alone  # noqa: SLF001


def _remember(function: Callable[..., Any]) -> None:
    _replace(function, functools.lru_cache(_REMEMBERED)(function))


def _replace(function: Callable[..., Any], other: Callable[..., Any]) -> None:
    """Replaces a function in every module of the emulator that has it."""
    emulator = [module for name, module in sys.modules.items() if name.startswith("bqemulator")]
    for module in emulator:
        for name, value in tuple(vars(module).items()):
            if value is function:
                setattr(module, name, other)


def _restrict_if_any_is_restricted(
    bq_sql: str, *, project_id: str, caller: Any, catalog: MemoryCatalogRepository
) -> str:
    """Looks for rows that the caller may not see only where there are views or policies."""
    # Views are expanded there too.
    views = any(table.view_query for table in catalog._tables.values())  # noqa: SLF001
    if views or catalog.list_all_row_access_policies():
        return _restrict(bq_sql, project_id=project_id, caller=caller, catalog=catalog)
    return bq_sql


def _is_not_null(column: Any) -> bool:
    """Whether a column has the constraint; the compiled sqlglot has no `kind` for OPTIONS."""
    return any(
        isinstance(one.args.get("kind"), sqlglot.exp.NotNullColumnConstraint)
        for one in column.args.get("constraints") or ()
    )


def _reject_changes_alone(project: str, sql: str, context: Any) -> None:
    if executor.classify_statement_type(sql) != "SELECT":
        _reject(project, sql, context)


async def _capture_changes_alone(project: str, sql: str, context: Any) -> None:
    if executor.classify_statement_type(sql) != "SELECT":
        await _capture(project, sql, context)


@functools.lru_cache(_REMEMBERED)
def _tree(sql: str, **options: Any) -> sqlglot.Expr:
    tree: sqlglot.Expr = _parse(sql, **options)
    for node in tree.walk():
        # Where its text is, which nobody asks, and which takes as long to copy as the node.
        for key in _POSITION & node.meta.keys():
            del node.meta[key]
        node._meta = node._meta or None  # noqa: SLF001
    return tree


def _parse_once(sql: str, **options: Any) -> sqlglot.Expr:
    tree = _tree(sql, **options)
    # Whoever else asks may change what it gets.
    return tree if sys._getframe(1).f_code.co_name in _READERS else tree.copy()  # noqa: SLF001


_SHORT_BIGNUMERIC: Final = "DECIMAL(38, 5)"
"""What the translation makes of a cast to BIGNUMERIC, which has more digits than that."""
_translated: Final[dict[tuple[str, object], str]] = {}
_STAGING: Final = re.compile(r"(?<=_staging_)\d{6}_[0-9a-f]{8}")
"""What only one load calls its staging table; all else in its statements is that of any load."""


def _named_alike(sql: str) -> tuple[str, dict[str, str]]:
    """A statement whose staging tables have the names of any load, and their own by those."""
    own = list(dict.fromkeys(_STAGING.findall(sql)))
    alike = {name: f"{number:06d}_00000000" for number, name in enumerate(own)}
    return _STAGING.sub(lambda found: alike[found[0]], sql), {alike[name]: name for name in own}


def _named_again(sql: str, names: Mapping[str, str]) -> str:
    return _STAGING.sub(lambda found: names.get(found[0], found[0]), sql)


def _qualify_once(duckdb_sql: str, project_id: str) -> str:
    sql, names = _named_alike(duckdb_sql)
    return _named_again(_qualified(sql, project_id), names)


_qualified: Final = functools.lru_cache(_REMEMBERED)(_qualify)


def _translate_once(
    self: SQLTranslator,
    bq_sql: str,
    *,
    schema: dict[str, Any] | None = None,
    caller: Any = None,
    **others: Any,
) -> Any:
    _, names = _named_alike(bq_sql)
    key = (_named_alike(f"{bq_sql} {schema!r}")[0], caller)
    if key not in _translated:
        found = _translate(self, bq_sql, schema=schema, caller=caller, **others)
        if not isinstance(found, Ok):
            return found
        if len(_translated) >= _REMEMBERED:
            _translated.clear()
        made = found.value.replace(_SHORT_BIGNUMERIC, BIGNUMERIC_STORAGE)
        alike = {own: name for name, own in names.items()}
        _translated[key] = _named_again(made, alike)
    return Ok(_named_again(_translated[key], names))
