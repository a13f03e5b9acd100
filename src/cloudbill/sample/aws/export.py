"""AWS Cost and Usage Reports (legacy CUR) as AWS delivers them, in gzipped CSV."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from cloudbill.sample.aws.columns import COST_COLUMNS, aws_columns
from cloudbill.sample.aws.manifest import aws_manifest
from cloudbill.sample.aws.queries import (
    ADD_PLAN_LINES,
    MOST_COMMITTED,
    RESERVED,
    SPECIAL_TYPES,
    TOTALS,
    define_macros,
    rows_query,
)
from cloudbill.sample.aws.shape import Shape
from cloudbill.sample.aws.specials import (
    FEE_SLOT,
    NEGATION_SLOT,
    ReservedUse,
    SpecialLine,
    commitment,
    line_count,
    special_lines,
    special_services,
)
from cloudbill.sample.aws.tables import create_resources, create_services
from cloudbill.sample.schedule import DIGITS, Month, ScheduledRun, WrittenRun, draw, schedule
from cloudbill.sample.sql import connect, copy, create_table, fetch, set_time

__all__ = ["write_aws"]

_PARTS = 2


def write_aws(
    directory: Path,
    *,
    months: int,
    rows: int,
    seed: int,
    last: tuple[int, int] = (2025, 10),
    report_name: str = "cur-hourly",
    prefix: str = "cur",
    open_month: bool = True,
    runs_per_month: int = 3,
    overwrite: bool = False,
) -> tuple[WrittenRun, ...]:
    """Writes an hourly AWS Cost and Usage Report into a directory, as a copy of its bucket.

    The same arguments give the same bytes; everything random derives from `seed`. A month gets up
    to three cumulative assemblies: on its 15th, on its last day, and on the 5th of the next month
    with late usage and an invoice. A line covers an hour, or a day if there are fewer than 20,000
    rows. Manifests have no time, so the modification times of the files have it. Returns the runs,
    oldest submission first.

    `last` is the year and month of the newest of `months` months; the second and third month add a
    tag column each. `rows` counts the rows of the last assembly of each month, 40 or more.
    `report_name` is a folder below `prefix`, which may be empty. `open_month` leaves out the final
    assembly of the newest month. `runs_per_month` keeps the last 1 to 3 assemblies of each month;
    `overwrite` keeps only the last one, directly in the month's folder.

    Raises:
        ValueError: If a number is outside what the sample can show.
    """
    first = Month(*last).plus(1 - months)
    runs = schedule(
        identity=("aws", report_name, seed, rows, first),
        months=months,
        rows=rows,
        last=last,
        open_month=open_month,
        runs_per_month=1 if overwrite else runs_per_month,
        closing_day=5,
    )
    with connect() as connection, localcontext(prec=DIGITS):
        define_macros(connection)
        writer = _Writer(
            connection=connection,
            directory=directory,
            prefix=prefix.strip("/"),
            report_name=report_name,
            first=first,
            rows=rows,
            seed=seed,
            overwrite=overwrite,
        )
        return tuple(writer.write(run) for run in runs)


@dataclass(kw_only=True)
class _Writer:
    """Writes the assemblies of one report, one after the other."""

    connection: duckdb.DuckDBPyConnection
    directory: Path
    prefix: str
    report_name: str
    first: Month
    rows: int
    seed: int
    overwrite: bool
    kinds: int | None = None
    month_use: dict[Month, ReservedUse] = field(default_factory=dict)
    commitments: dict[Month, Decimal] = field(default_factory=dict)

    def write(self, run: ScheduledRun) -> WrittenRun:
        """Writes the parts of a run, then its manifests; returns its rows and sums."""
        parameters = self._prepare(run)
        end = self._shape(run.month).until(run)
        columns = aws_columns(run.month.index - self.first.index)
        month = f"{run.month.start:%Y%m%d}-{run.month.end:%Y%m%d}"
        above = "/".join(part for part in (self.prefix, self.report_name, month) if part)
        folder = above if self.overwrite else f"{above}/{run.run_id}"
        keys = [f"{folder}/{self.report_name}-{part + 1:05d}.csv.gz" for part in range(_PARTS)]
        query = rows_query(columns)
        rows = 0
        for part, key in enumerate(keys):
            bounds = {"from_row": end * part // _PARTS, "to_row": end * (part + 1) // _PARTS}
            path = self.directory / key
            rows += copy(self.connection, query, path, "csv.gz, own header", parameters | bounds)
            rows -= 1  # the header
            set_time(path, run.submitted_at - timedelta(minutes=1))
        manifest = aws_manifest(run, keys, columns, seed=self.seed, report_name=self.report_name)
        for place in {folder, above}:
            path = self.directory / place / f"{self.report_name}-Manifest.json"
            path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            set_time(path, run.submitted_at)
        sums = fetch(self.connection, TOTALS, parameters | {"from_row": 0, "to_row": end})
        return WrittenRun(
            provider="aws",
            export=self.report_name,
            period=str(run.month),
            run_id=run.run_id,
            submitted_at=run.submitted_at,
            manifest_path=self.directory / folder / f"{self.report_name}-Manifest.json",
            part_paths=tuple(self.directory / key for key in keys),
            rows=rows,
            totals={"USD": dict(zip(COST_COLUMNS, sums[0], strict=True))},
        )

    def _prepare(self, run: ScheduledRun) -> dict[str, object]:
        """Creates the tables of a run, and returns the parameters of its queries."""
        create_services(
            self.connection,
            seed=self.seed,
            month=run.month,
            run_columns=_run_columns(run, self.seed),
            specials=special_services(self.seed),
        )
        if self.kinds is None:
            self.kinds = create_resources(self.connection, seed=self.seed, rows=self.rows)
        shape = self._shape(run.month)
        parameters: dict[str, object] = {
            **shape.parameters(),
            "seed": str(self.seed),
            "month": str(run.month),
            "month_start": run.month.start,
            "elapsed_days": run.elapsed_days,
            "complete": run.complete,
            "run_id": run.run_id,
            "from_row": 0,
            "to_row": self.rows,
            "fee_slot": FEE_SLOT,
            "negation_slot": NEGATION_SLOT,
        }
        whole = parameters | {"complete": True, "elapsed_days": run.month.days}
        if run.month not in self.month_use:
            self.month_use[run.month] = self._reserved(whole)
            [(most,)] = fetch(self.connection, MOST_COMMITTED, whole)
            self.commitments[run.month] = commitment(most, shape.plan_hours)
        month_use = self.month_use[run.month]
        run_use = month_use if run.complete else self._reserved(parameters)
        lines = special_lines(run, seed=self.seed, month_use=month_use, run_use=run_use)
        create_table(self.connection, "special", SPECIAL_TYPES, _special_rows(lines))
        of_plan = {"special_lines": len(lines), "commitment": self.commitments[run.month]}
        fetch(self.connection, ADD_PLAN_LINES, parameters | of_plan)
        return parameters

    def _shape(self, month: Month) -> Shape:
        return Shape(month=month, rows=self.rows, lines=line_count(month), kinds=self.kinds or 0)

    def _reserved(self, parameters: dict[str, object]) -> ReservedUse:
        [(effective, hours)] = fetch(self.connection, RESERVED, parameters)
        return ReservedUse(effective=effective, hours=hours)


def _run_columns(run: ScheduledRun, seed: int) -> dict[str, str]:
    """The values that are the same in every line of a run; the invoice's id once it exists."""
    columns = {
        "bill/BillingPeriodStartDate": f"{run.month.start:%Y-%m-%dT%H:%M:%S}.000Z",
        "bill/BillingPeriodEndDate": f"{run.month.end:%Y-%m-%dT%H:%M:%S}.000Z",
    }
    if run.kind == "closing":
        columns["bill/InvoiceId"] = f"{draw(seed, run.month, 'aws invoice') % 10**10:010d}"
    return columns


def _special_rows(lines: list[SpecialLine]) -> list[dict[str, object]]:
    return [
        {
            "i": i,
            "r": -1,
            "slot": line.slot,
            "starts_at": line.starts_at,
            "ends_at": line.ends_at,
            "lineItem/UsageAmount": Decimal(1),
            "lineItem/UnblendedCost": line.cost,
            "lineItem/BlendedCost": line.cost,
            **line.unused,
        }
        for i, line in enumerate(lines)
    ]
