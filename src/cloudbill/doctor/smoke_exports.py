"""The exports of the smoke test: sample bills of few rows, some with other columns or modes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.sample import WrittenRun, write_azure

__all__ = [
    "ADDED",
    "CSV",
    "LACKING",
    "MODES",
    "MONTHS",
    "PARQUET",
    "REQUIRED",
    "parquet_of",
    "write_exports",
]

PARQUET: Final = "parquet"
"""Five months of Parquet, a run of two parts each."""
CSV: Final = "csv"
"""Two months of CSV: the parts of the newer one differ, the older one has other columns."""
MODES: Final = "modes"
"""Three months of Parquet: a column is REQUIRED in the newest and the oldest one."""
MONTHS: Final = ("2025-01", "2025-02", "2025-03", "2025-04", "2025-05")
ADDED: Final = "x_Smoke"
LACKING: Final = "ProviderName"
"""A column with a value in each row, and without any in the month that lacks it."""
REQUIRED: Final = "BillingCurrency"
_ROWS: Final = 40
_SEED: Final = 20250101

_Table = list[list[str]]


def write_exports(folder: Path) -> dict[str, Mapping[str, WrittenRun]]:
    """Writes all exports below a folder; gives the run of each month, by the export's name."""
    parquet = _write(folder, PARQUET, months=5)
    lines = _write(folder, CSV, months=2)
    modes = _write(folder, MODES, months=3)
    _change_parts(lines["2025-02"], lambda part, table: _reversed(table) if part else table)
    _change_parts(lines["2025-01"], lambda _, table: _reversed(_with_other_columns(table)))
    # What states no counts is not counted first, so that one job can load it.
    _state(lines["2025-02"])
    _state(lines["2025-01"], states_rows=False)
    for month, run in modes.items():
        for part in run.part_paths:
            _set_modes(part, {REQUIRED} if month != "2025-02" else set())
        _state(run)
    return {PARQUET: parquet, CSV: lines, MODES: modes}


def parquet_of(words: Mapping[str, Iterable[str]], *, is_required: bool = False) -> bytes:
    """A Parquet file of a table of probes: the words of each day, REQUIRED or not."""
    rows = [(day, word) for day, found in words.items() for word in found]
    schema = pa.schema(
        [
            pa.field("period", pa.timestamp("us", tz="UTC")),
            pa.field("word", pa.string(), nullable=not is_required),
        ]
    )
    days = pa.array([day for day, _ in rows]).cast(pa.timestamp("us")).cast(schema[0].type)
    file = io.BytesIO()
    pq.write_table(pa.table([days, [word for _, word in rows]], schema=schema), file)
    return file.getvalue()


def _write(folder: Path, name: str, *, months: int) -> dict[str, WrittenRun]:
    year, month = map(int, MONTHS[months - 1].split("-"))
    runs = write_azure(
        folder,
        months=months,
        rows=_ROWS,
        seed=_SEED,
        last=(year, month),
        file_format="csv" if name == CSV else "parquet",
        export_name=name,
        root_folder=name,
        open_month=False,
        runs_per_month=1,
    )
    return {run.period: run for run in runs}


def _change_parts(run: WrittenRun, change: Callable[[int, _Table], _Table]) -> None:
    """Writes the parts of a CSV run again."""
    for index, path in enumerate(run.part_paths):
        text = path.read_text(encoding="utf-8-sig")
        table = change(index, list(csv.reader(io.StringIO(text))))
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\r\n").writerows(table)


def _reversed(table: _Table) -> _Table:
    return [row[::-1] for row in table]


def _with_other_columns(table: _Table) -> _Table:
    lacking = table[0].index(LACKING)
    kept = [row[:lacking] + row[lacking + 1 :] for row in table]
    return [[*row, "new" if index else ADDED] for index, row in enumerate(kept)]


def _set_modes(part: Path, required: Collection[str]) -> None:
    """Makes these columns of a part REQUIRED, and no other."""
    table = pq.read_table(part)
    fields = [field.with_nullable(field.name not in required) for field in table.schema]
    pq.write_table(table.cast(pa.schema(fields)), part)


def _state(run: WrittenRun, *, states_rows: bool = True) -> None:
    """Lets the manifest state the sizes that the parts have now."""
    manifest = json.loads(run.manifest_path.read_text(encoding="utf-8"))
    sizes = [path.stat().st_size for path in run.part_paths]
    for blob, size in zip(manifest["blobs"], sizes, strict=True):
        blob["byteCount"] = size
    manifest["byteCount"] = sum(sizes)
    for described in () if states_rows else (manifest, *manifest["blobs"]):
        del described["dataRowCount"]
    run.manifest_path.write_text(json.dumps(manifest), encoding="utf-8")
