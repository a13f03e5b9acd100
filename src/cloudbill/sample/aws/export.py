"""AWS bills as AWS delivers them: reports and Data Exports, in every form that there is."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb

from cloudbill.sample.aws.delivery import Delivery
from cloudbill.sample.aws.forms import FORMS, AwsForm
from cloudbill.sample.aws.queries import (
    ADD_PLAN_LINES,
    MOST_COMMITTED,
    RESERVED,
    SPECIAL_TYPES,
    define_macros,
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

__all__ = ["write_aws"]

_PARTS = 2


def write_aws(
    directory: Path,
    *,
    months: int,
    rows: int,
    seed: int,
    last: tuple[int, int] = (2025, 10),
    report_name: str | None = None,
    prefix: str | None = None,
    open_month: bool = True,
    runs_per_month: int = 3,
    overwrite: bool = False,
    form: AwsForm = AwsForm.CSV,
    listen: Callable[[int, int], None] = unheard,
) -> tuple[WrittenRun, ...]:
    """Writes an AWS bill into a directory, as a copy of its bucket, in one of AWS's forms.

    The same arguments give the same bytes; everything random derives from `seed`, so that all forms
    have the same charges. A month gets up to three cumulative runs: on its 15th, on its last day,
    and on the 5th of the next month with late usage and an invoice. A line covers an hour, or a day
    if there are fewer than 20,000 rows; with fewer than 120, the lines of the savings plan cover
    the month. Manifests have no time, so the modification times of the files have it. Returns the
    runs that have a manifest, oldest submission first: a Data Export has one manifest a month.

    `last` is the year and month of the newest of `months` months; the second and third month add a
    tag each. `rows` counts the lines of the last run of each month, 40 or more, before they become
    charges of FOCUS. `report_name` is a folder below `prefix`, which may be empty; both have usual
    values for each form. `open_month` leaves out the final run of the newest month.
    `runs_per_month` keeps the last 1 to 3 runs of each month; `overwrite` keeps only the last one,
    directly in the month's folder, as a report for Athena does in any case.
    `listen` hears how many of how many runs are written.

    Raises:
        ValueError: If a number is outside what the sample can show.
    """
    delivery = Delivery(
        form=FORMS[form],
        prefix=(FORMS[form].prefix if prefix is None else prefix).strip("/"),
        name=report_name or FORMS[form].report_name,
        seed=seed,
        overwrites=overwrite or FORMS[form].for_athena,
    )
    first = Month(*last).plus(1 - months)
    runs = schedule(
        identity=("aws", delivery.name, seed, rows, first),
        months=months,
        rows=rows,
        last=last,
        open_month=open_month,
        runs_per_month=1 if delivery.overwrites else runs_per_month,
        closing_day=5,
    )
    with connect() as connection, localcontext(prec=DIGITS):
        define_macros(connection)
        writer = _Writer(connection, directory, delivery, first, rows, seed)
        written = [writer.write(run) for run in told_each(runs, listen)]
    newest = {run.manifest_path: run for run in written}
    return tuple(run for run in written if newest[run.manifest_path] is run)


@dataclass
class _Writer:
    """Writes the runs of one report or export, one after the other."""

    connection: duckdb.DuckDBPyConnection
    directory: Path
    delivery: Delivery
    first: Month
    rows: int
    seed: int
    kinds: int | None = None
    month_use: dict[Month, ReservedUse] = field(default_factory=dict)
    commitments: dict[Month, Decimal] = field(default_factory=dict)

    def write(self, run: ScheduledRun) -> WrittenRun:
        """Writes the parts of a run, then its manifests; returns its rows and sums."""
        form, parameters = self.delivery.form, self._prepare(run)
        end = self._shape(run.month).until(run)
        months_before = run.month.index - self.first.index
        query, file_format = form.rows(months_before)
        keys = self.delivery.part_keys(run, _PARTS)
        rows = 0
        for part, key in enumerate(keys):
            bounds = {"from_row": end * part // _PARTS, "to_row": end * (part + 1) // _PARTS}
            path = self.directory / key
            rows += self._write_part(path, query, file_format, parameters | bounds)
            set_time(path, run.submitted_at - timedelta(minutes=1))
        manifest = self.delivery.write_manifests(
            run, keys, directory=self.directory, months_before=months_before
        )
        whole = parameters | {"from_row": 0, "to_row": end}
        sums = fetch(self.connection, form.sums(months_before), whole)
        return WrittenRun(
            provider=form.provider,
            export=self.delivery.name,
            period=str(run.month),
            run_id=run.run_id,
            submitted_at=run.submitted_at,
            manifest_path=manifest,
            part_paths=tuple(self.directory / key for key in keys),
            rows=rows,
            totals={"USD": dict(zip(form.cost_columns, sums[0], strict=True))},
        )

    def _write_part(
        self, path: Path, query: str, file_format: str, parameters: dict[str, object]
    ) -> int:
        """Writes a part, and counts its rows without the header."""
        is_zipped = path.suffix == ".zip"
        target = path.with_suffix("") if is_zipped else path
        rows = copy(self.connection, query, target, file_format, parameters)
        if is_zipped:
            _zip(target, path)
        return rows - 1 if file_format.endswith("own header") else rows

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
        [(upfront, recurring, hours)] = fetch(self.connection, RESERVED, parameters)
        return ReservedUse(upfront=upfront, recurring=recurring, hours=hours)


def _zip(file: Path, archive: Path) -> None:
    """Moves a file into an archive of its own, which has no time of this machine in it."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    file.unlink()


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
            **line.of_commitment,
        }
        for i, line in enumerate(lines)
    ]
