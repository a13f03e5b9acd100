"""What the product asks of BigQuery, as it sends it, and from which lines of the product."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.cloud import bigquery as bq

import cloudbill
from cloudbill.warehouses.bigquery.client import PersistentClient

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["PARTITIONS", "Sent", "asking_lines", "ledger_tables", "recording", "tables_of"]

HOME: Final = Path(cloudbill.__file__).parent
_ASKING: Final = frozenset({"query", "query_and_wait", "rows", "_query", "_read_sums"})

PARTITIONS: Final = {
    "TABLE_CATALOG": "STRING",
    "TABLE_SCHEMA": "STRING",
    "TABLE_NAME": "STRING",
    "PARTITION_ID": "STRING",
    "TOTAL_ROWS": "INTEGER",
    "TOTAL_LOGICAL_BYTES": "INTEGER",
    "LAST_MODIFIED_TIME": "TIMESTAMP",
    "STORAGE_TIER": "STRING",
}
"""The columns of INFORMATION_SCHEMA.PARTITIONS ("PARTITIONS view")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One statement, the types of its parameters, and the lines of the product above it."""

    statement: str
    parameters: Mapping[str, str]
    lines: frozenset[tuple[str, int]]


@contextmanager
def recording() -> Iterator[list[Sent]]:
    """Collects the statements that clients send within the block, by whichever way."""
    sent: list[Sent] = []

    def noting(name: str) -> Any:
        send = getattr(PersistentClient, name)

        def noted(self: PersistentClient, query: str, *rest: Any, **options: Any) -> Any:
            config: Any = options["job_config"]
            sent.append(
                Sent(
                    statement=query,
                    parameters={one.name: one.type_ for one in config.query_parameters},
                    lines=frozenset(_lines_of(sys._getframe(1))),  # noqa: SLF001
                )
            )
            return send(self, query, *rest, **options)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for name in ("query", "query_and_wait"):
            patch.setattr(PersistentClient, name, noting(name), raising=False)
        yield sent


def asking_lines() -> Iterator[tuple[str, int, int]]:
    """Every call that may send a statement: its file, and its first and last line."""
    for file in sorted(HOME.glob("**/*.py")):
        text = file.read_text()
        if "google.cloud" not in text and "PersistentClient" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in _ASKING and not ast.unparse(node.func).startswith("super()"):
                yield str(file.relative_to(HOME)), node.lineno, node.end_lineno or node.lineno


def tables_of(client: Any, dataset: str) -> dict[tuple[str, ...], Mapping[str, str]]:
    """The tables of a dataset and what BigQuery itself knows of them, with their columns."""
    found: dict[tuple[str, ...], Mapping[str, str]] = {
        (client.project, dataset, "INFORMATION_SCHEMA", "PARTITIONS"): PARTITIONS
    }
    for item in client.list_tables(f"{client.project}.{dataset}"):
        table = client.get_table(item.reference)
        columns = {
            field.name: "MAP" if field.field_type == "RECORD" else field.field_type
            for field in table.schema
        }
        found[client.project, dataset, table.table_id] = columns
    return found


def ledger_tables(name: str) -> dict[str, list[bq.SchemaField]]:
    """The tables of the ledger, as far as they are asked."""
    state = {
        "_dlt_load_id": "STRING",
        "pipeline_name": "STRING",
        "state": "STRING",
        "version": "INTEGER",
    }
    tracking = {"billing_month": "STRING", "run_id": "STRING", "loaded_at": "TIMESTAMP"}
    return {
        table: [bq.SchemaField(column, kind) for column, kind in columns.items()]
        for table, columns in (
            ("_dlt_pipeline_state", state),
            ("_dlt_version", {"version": "INTEGER", "schema": "STRING"}),
            (f"{name}_load_tracking", tracking),
        )
    }


def _lines_of(frame: FrameType | None) -> Iterator[tuple[str, int]]:
    while frame is not None:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(HOME):
            yield str(file.relative_to(HOME)), frame.f_lineno
        frame = frame.f_back
