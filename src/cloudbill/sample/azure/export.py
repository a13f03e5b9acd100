"""Azure FOCUS exports as Azure Cost Management delivers them, dataVersion 1.0r2."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Literal, TypeAlias

import duckdb

from cloudbill.sample.azure.catalogue import SKUS
from cloudbill.sample.azure.columns import AZURE_COLUMNS, COST_COLUMNS
from cloudbill.sample.azure.manifest import Blob, azure_manifest
from cloudbill.sample.azure.queries import COVERED, RUN_COLUMNS, TOTALS, rows_query
from cloudbill.sample.azure.specials import (
    SPECIALS,
    SpecialCharge,
    special_charges,
    special_skus,
)
from cloudbill.sample.azure.tables import CHARGE_COLUMNS, create_resources, create_skus
from cloudbill.sample.schedule import (
    DIGITS,
    Month,
    ScheduledRun,
    WrittenRun,
    draw,
    schedule,
    told_each,
    unheard,
)
from cloudbill.sample.sql import connect, copy, create_table, fetch, set_time

AzureFileFormat: TypeAlias = Literal["parquet", "csv", "csv.gz"]

__all__ = ["AzureFileFormat", "write_azure"]

_SUFFIXES = {"parquet": "snappy.parquet", "csv": "csv", "csv.gz": "csv.gz"}
_PARTS = 2


def write_azure(
    directory: Path,
    *,
    months: int,
    rows: int,
    seed: int,
    last: tuple[int, int] = (2025, 10),
    file_format: AzureFileFormat = "parquet",
    export_name: str = "focus-daily",
    root_folder: str = "billing",
    open_month: bool = True,
    runs_per_month: int = 3,
    overwrite: bool = False,
    listen: Callable[[int, int], None] = unheard,
) -> tuple[WrittenRun, ...]:
    """Writes a daily Azure FOCUS export into a directory, as a copy of its container.

    The same arguments give the same bytes; everything random derives from `seed`. A month gets up
    to three cumulative runs: on its 15th, on its last day, and on the 3rd of the next month with
    late and revised usage. Returns the runs, oldest submission first.

    `last` is the year and month of the newest of `months` months. `rows` counts the rows of the
    last run of each month, 40 or more. `file_format` is `parquet` (snappy), `csv` or `csv.gz`.
    `export_name` is a folder below `root_folder`, which may be empty. `open_month` leaves out the
    run on day 3 for the newest month. `runs_per_month` keeps the last 1 to 3 runs of each month;
    `overwrite` keeps only the last one, without a folder that shows its time.
    `listen` hears how many of how many runs are written.

    Raises:
        ValueError: If a number is outside what the sample can show.
    """
    runs = schedule(
        identity=("azure", export_name, seed, rows),
        months=months,
        rows=rows,
        last=last,
        open_month=open_month,
        runs_per_month=1 if overwrite else runs_per_month,
        closing_day=3,
    )
    with connect() as connection, localcontext(prec=DIGITS):
        writer = _Writer(
            connection=connection,
            directory=directory,
            root_folder=root_folder.strip("/"),
            export_name=export_name,
            rows=rows,
            seed=seed,
            file_format=file_format,
            overwrite=overwrite,
        )
        return tuple(writer.write(run) for run in told_each(runs, listen))


@dataclass(kw_only=True)
class _Writer:
    """Writes the runs of one export, one after the other."""

    connection: duckdb.DuckDBPyConnection
    directory: Path
    root_folder: str
    export_name: str
    rows: int
    seed: int
    file_format: AzureFileFormat
    overwrite: bool
    month_use: dict[Month, dict[str, Decimal]] = field(default_factory=dict)

    def write(self, run: ScheduledRun) -> WrittenRun:
        """Writes the parts of a run, then its manifest; returns its rows and sums."""
        parameters = self._prepare(run)
        end = self._rows_until(run)
        folder = self._make_folder(run)
        blobs = [
            self._write_part(folder, part, parameters | _bounds(end, part))
            for part in range(_PARTS)
        ]
        manifest = azure_manifest(
            run,
            blobs,
            seed=self.seed,
            root_folder=self.root_folder,
            export_name=self.export_name,
            file_format=self.file_format,
            overwrite=self.overwrite,
        )
        manifest_path = self.directory / folder / "manifest.json"
        manifest_path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        part_paths = tuple(self.directory / blob.name for blob in blobs)
        for path in (*part_paths, manifest_path):
            set_time(path, run.submitted_at)
        sums = fetch(self.connection, TOTALS, parameters | {"from_row": 0, "to_row": end})
        return WrittenRun(
            provider="azure",
            export=self.export_name,
            period=str(run.month),
            run_id=run.run_id,
            submitted_at=run.submitted_at,
            manifest_path=manifest_path,
            part_paths=part_paths,
            rows=sum(blob.rows for blob in blobs),
            totals={row[0]: dict(zip(COST_COLUMNS, row[1:], strict=True)) for row in sums},
        )

    def _make_folder(self, run: ScheduledRun) -> str:
        """The run's folder inside the container."""
        first, last = run.month.start, run.month.end - timedelta(days=1)
        month = f"{first:%Y%m%d}-{last:%Y%m%d}"
        folder = "/".join(part for part in (self.root_folder, self.export_name, month) if part)
        if not self.overwrite:
            return f"{folder}/{run.submitted_at:%Y%m%d%H%M}/{run.run_id}"
        # The provider removes the previous run.
        shutil.rmtree(self.directory / folder, ignore_errors=True)
        return f"{folder}/{run.run_id}"

    def _write_part(self, folder: str, part: int, parameters: dict[str, object]) -> Blob:
        name = f"{folder}/part_{part}_0001.{_SUFFIXES[self.file_format]}"
        path = self.directory / name
        query = rows_query(self.file_format)
        rows = copy(self.connection, query, path, self.file_format, parameters)
        return Blob(name=name, size=path.stat().st_size, rows=rows)

    def _rows_until(self, run: ScheduledRun) -> int:
        """The first row number after the days of the run; all days have the same number of rows."""
        return SPECIALS + -(-run.elapsed_days * (self.rows - SPECIALS) // run.month.days)

    def _prepare(self, run: ScheduledRun) -> dict[str, object]:
        """Creates the tables of a run, and returns the parameters of its queries."""
        resources = max(len(SKUS) * 2, self.rows // 30)
        first = not self.month_use
        create_skus(
            self.connection, seed=self.seed, month=run.month, specials=special_skus(self.seed)
        )
        if first:
            create_resources(self.connection, seed=self.seed, count=resources)
        closing = run.kind == "closing"
        parameters: dict[str, object] = {
            "seed": str(self.seed),
            "month": str(run.month),
            "month_start": run.month.start,
            "month_end": run.month.end,
            "days": run.month.days,
            "elapsed_days": run.elapsed_days,
            "complete": run.complete,
            "rows": self.rows,
            "specials": SPECIALS,
            "slots": len(SKUS),
            "resources": resources,
            "rate": _rate(run.month),
            "invoice_id": f"G{draw(self.seed, run.month) % 10**9:09d}" if closing else "",
            "from_row": 0,
            "to_row": self.rows,
        }
        whole = {"complete": True, "elapsed_days": run.month.days}
        if run.month not in self.month_use:
            self.month_use[run.month] = self._covered(parameters | whole)
        month_use = self.month_use[run.month]
        run_use = month_use if run.complete else self._covered(parameters)
        charges = special_charges(run, seed=self.seed, month_use=month_use, run_use=run_use)
        _create_special(self.connection, run, charges)
        return parameters

    def _covered(self, parameters: dict[str, object]) -> dict[str, Decimal]:
        return dict(fetch(self.connection, COVERED, parameters))


def _bounds(end: int, part: int) -> dict[str, object]:
    return {"from_row": end * part // _PARTS, "to_row": end * (part + 1) // _PARTS}


def _rate(month: Month) -> Decimal:
    """The price of one USD in EUR in a month, with 4 digits."""
    return Decimal(8500 + draw("EUR", month) % 400) / 10**4


def _create_special(
    connection: duckdb.DuckDBPyConnection, run: ScheduledRun, charges: list[SpecialCharge]
) -> None:
    """Creates table `special`: charges without a meter, in the columns of the export."""
    rate = _rate(run.month)
    rows: list[dict[str, object]] = []
    for i, charge in enumerate(charges):
        starts = run.month.start + timedelta(days=charge.first_day)
        row: dict[str, object] = {
            "i": i,
            "r": -1,
            "slot": charge.slot,
            "x_ResourceGroupName": "",
            "ChargePeriodStart": starts,
            "ChargePeriodEnd": starts + timedelta(days=charge.days),
        }
        if charge.unit_usd is not None and charge.quantity is not None:
            row["PricingQuantity"] = charge.quantity
            row["x_PricingBlockSize"] = Decimal(1)
            row["ListUnitPrice"] = row["ContractedUnitPrice"] = charge.unit_usd * rate
            row["x_BilledUnitPrice"] = charge.billed_usd * rate / charge.quantity
            row["x_EffectiveUnitPrice"] = charge.effective_usd * rate / charge.quantity
        for name, amount in (
            ("ListCost", charge.list_usd),
            ("ContractedCost", charge.list_usd),
            ("BilledCost", charge.billed_usd),
            ("EffectiveCost", charge.effective_usd),
        ):
            row[name] = amount * rate
            row[f"x_{name}InUsd"] = amount
        rows.append(row)
    types = {"i": "BIGINT", "r": "INTEGER", "slot": "INTEGER"}
    types |= {name: AZURE_COLUMNS[name] for name in CHARGE_COLUMNS if name not in RUN_COLUMNS}
    create_table(connection, "special", types, rows)
