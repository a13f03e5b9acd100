"""Turns what `export` wrote into lines and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from cloudbill.costs.amounts import costs_to_text, shown_costs
from cloudbill.looking.exporting import ExportedMonth
from cloudbill.text.counts import counted
from cloudbill.text.failures import SourceFailure, failures_json
from cloudbill.text.sizes import shown_size

__all__ = ["export_json", "month_line", "total_lines"]


def month_line(month: ExportedMonth, *, exact: bool = False) -> str:
    """What was written of a month."""
    costs = (
        "costs not summed"
        if month.sums.billed is None
        else ", ".join(shown_costs(month.sums.billed, exact=exact))
    )
    return f"{month.bill.name} {month.period}: {counted(month.sums.rows, 'row', ',')}, {costs}"


def total_lines(
    months: Sequence[ExportedMonth], sizes: Mapping[Path, int], removed: Sequence[Path]
) -> list[str]:
    """What was written in all, where it is, and what was removed for it."""
    rows = sum(month.sums.rows for month in months)
    lines = [f"Removed {file}, which an earlier export wrote" for file in removed]
    files = counted(len(sizes), "file")
    places = sorted({_place(month.file) for month in months}, key=str)
    lines.append(
        f"Wrote {files}, {counted(rows, 'row', ',')}, {shown_size(sum(sizes.values()))}: "
        f"{', '.join(map(str, places))}"
    )
    return lines


def _place(file: Path) -> Path:
    """The folder with the months of a table, or the only file."""
    return file.parent.parent if file.parent.name.startswith("billing_month=") else file


def export_json(
    months: Sequence[ExportedMonth],
    sizes: Mapping[Path, int],
    removed: Sequence[Path],
    failures: Sequence[SourceFailure],
) -> str:
    """The JSON document; amounts are exact text by currency, and null where none were summed."""
    document: dict[str, object] = {
        "months": [
            {
                "table": month.bill.name,
                "period": str(month.period),
                "rows": month.sums.rows,
                "billed": costs_to_text(month.sums.billed),
                "file": str(month.file),
            }
            for month in months
        ],
        "files": [{"file": str(file), "bytes": size} for file, size in sizes.items()],
        "removed": [str(file) for file in removed],
    }
    document |= {"failures": failures_json(failures)} if failures else {}
    return json.dumps(document, indent=2)
