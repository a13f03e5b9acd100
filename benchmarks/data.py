"""The data of the benchmarks: sample exports, written once per size, and what they hold."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks.processes import ROOT, Command, run

__all__ = [
    "Export",
    "Workspace",
    "aws",
    "aws_form",
    "azure",
    "check_totals",
    "configure",
    "doubles",
]

Form = Literal["cur2-parquet", "cur2-csv", "focus-1.2"]
Kind = Literal["azure", "aws", "doubles"] | Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A written export: `truth` is a file with the rows and totals of each month."""

    folder: Path
    kind: Kind
    rows: int

    @property
    def truth(self) -> Path:
        """What the writer says that it wrote."""
        return self.folder / "truth.json"

    @property
    def tree(self) -> Path:
        """The copy of the bucket."""
        return self.folder / "tree"

    @property
    def parts(self) -> list[Path]:
        """The data files, in order."""
        is_text = self.kind in {"aws", "cur2-csv"}
        return sorted(self.tree.rglob("*.csv.gz" if is_text else "*.parquet"))

    @property
    def is_as_it_is(self) -> bool:
        """Whether a script stores its amounts as they are, which are doubles."""
        return self.kind not in _PLACES

    @property
    def section(self) -> str:
        """The section of a configuration that loads it."""
        if self.kind in {"azure", "doubles"}:
            return "azure_billing"
        return "aws_focus_billing" if self.kind == "focus-1.2" else "aws_billing"

    @property
    def size(self) -> int:
        """Bytes of all data files."""
        return sum(part.stat().st_size for part in self.parts)


def azure(scratch: Path, *, rows: int, months: int = 1, parts: int = 2, runs: int = 1) -> Export:
    """An Azure FOCUS export with Parquet parts and so many `runs` of each month."""
    name = f"azure-{months}m-{rows}r-{parts}p-{runs}runs"
    words = (str(rows), str(months), str(parts), str(runs))
    return _written(scratch, name, "azure", rows, words)


def doubles(scratch: Path, *, rows: int) -> Export:
    """An Azure FOCUS export with two Parquet parts, whose decimals are doubles."""
    return _written(scratch, f"doubles-{rows}r", "doubles", rows, (str(rows), "1", "2", "1"))


def aws(scratch: Path, *, rows: int, parts: int) -> Export:
    """An AWS Cost and Usage Report with so many gzipped CSV parts."""
    name = f"aws-{rows}r-{parts}p"
    return _written(scratch, name, "aws", rows, (str(rows), "1", str(parts), "1"))


def aws_form(scratch: Path, form: Form, *, rows: int) -> Export:
    """The AWS bill as a Data Export."""
    return _written(scratch, f"{form}-{rows}r", form, rows, (str(rows), "1", "0", "1"))


def _written(scratch: Path, name: str, kind: Kind, rows: int, words: tuple[str, ...]) -> Export:
    export = Export(folder=scratch / "data" / name, kind=kind, rows=rows)
    if not export.truth.exists():
        shutil.rmtree(export.folder, ignore_errors=True)
        export.folder.mkdir(parents=True)
        # In a process of its own: this one stays small, see `run`.
        script = Path(__file__).parent / "scripts" / "write_data.py"
        run(Command(words=(sys.executable, str(script), kind, str(export.folder), *words)))
    return export


_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "azure": ("billing", "focus-daily"),
    "doubles": ("billing", "focus-daily"),
    "aws": ("cur", "cur-hourly"),
}
"""The prefix and the name of the exports that have the sample's usual ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A folder as a user has it: a configuration and a DuckDB file."""

    folder: Path
    section: str

    @property
    def database(self) -> Path:
        """The DuckDB file."""
        return self.folder / "bills.duckdb"

    @property
    def table(self) -> str:
        """The loaded table."""
        return "billing.bill"

    def command(self, *words: str, env: Mapping[str, str] | None = None) -> Command:
        """`cloudbill` with words."""
        from benchmarks.processes import CLOUDBILL

        return Command(words=(CLOUDBILL, *words), folder=self.folder, env=env or {})

    def load(self, env: Mapping[str, str] | None = None) -> Command:
        """Loads the newest run of each month, even if it is loaded."""
        return self.command("load", self.section, "--force", env=env)

    def no_op(self, env: Mapping[str, str] | None = None) -> Command:
        """Finds nothing new."""
        return self.command("load", self.section, env=env)


def configure(scratch: Path, name: str, export: Export, **keys: str | bool) -> Workspace:
    """A fresh workspace for an export; `keys` are further keys of its section."""
    folder = scratch / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".dlt").mkdir(parents=True)
    prefix, name_of_export = _PLACES.get(export.kind, ("bills", "bill"))
    section: dict[str, Any] = {
        "bucket": str(export.tree),
        "prefix": prefix,
        "export_name": name_of_export,
        "table_name": "bill",
        "dataset": "billing",
        "database": str(folder / "bills.duckdb"),
        **keys,
    }
    lines = [
        f"[sources.{export.section}]",
        *(f"{key} = {json.dumps(value)}" for key, value in section.items()),
        "[runtime]",
        'log_level = "CRITICAL"',
        "dlthub_telemetry = false",
    ]
    (folder / ".dlt" / "config.toml").write_text("\n".join(lines) + "\n")
    return Workspace(folder=folder, section=export.section)


def check_totals(database: Path, table: str, export: Export) -> bool:
    """Whether a table holds the rows and totals that the writer wrote, to the last digit."""
    script = Path(__file__).parent / "scripts" / "check_totals.py"
    words = (sys.executable, str(script), str(database), table, str(export.truth))
    try:
        run(Command(words=words, folder=ROOT))
    except RuntimeError as error:
        print(f"  totals of {table} differ: {error}", file=sys.stderr)
        return False
    return True
