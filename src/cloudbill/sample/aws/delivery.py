"""Where AWS puts the files of a run, and what it writes beside them, by the form of the bill.

Sources: AWS, "Cost and Usage Reports User Guide" (versions of a report, files for Athena) and "Data
Exports User Guide" (export delivery); reports and exports as delivered.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cloudbill.sample.aws.columns import aws_columns
from cloudbill.sample.aws.form_columns import report_columns
from cloudbill.sample.aws.forms import Form
from cloudbill.sample.aws.manifest import aws_manifest, data_export_manifest
from cloudbill.sample.schedule import ScheduledRun
from cloudbill.sample.sql import connect, copy, quote_identifier, set_time

__all__ = ["Delivery"]

_STATUS = "cost_and_usage_data_status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A report or an export in a bucket."""

    form: Form
    prefix: str
    """Folders above it; may be empty."""
    name: str
    seed: int
    overwrites: bool
    """Whether a run replaces the one before it."""

    def part_keys(self, run: ScheduledRun, parts: int) -> list[str]:
        """The keys of the parts of a run."""
        folder = self._folder(run)
        return [f"{folder}/{self.name}-{part + 1:05d}.{self.form.ending}" for part in range(parts)]

    def write_manifests(
        self, run: ScheduledRun, keys: list[str], *, directory: Path, months_before: int
    ) -> Path:
        """Writes the manifests of a run, and returns the one that stays with it the longest."""
        if self.form.is_data_export:
            columns = self.form.columns(months_before)
            manifest = data_export_manifest(run, keys, columns, seed=self.seed, name=self.name)
            folders = [self._below("metadata", self._partition(run))]
        else:
            manifest = aws_manifest(
                run,
                keys,
                aws_columns(months_before),
                seed=self.seed,
                report_name=self.name,
                ending=self.form.ending,
            )
            folders = list(dict.fromkeys([self._folder(run), self._below(_range(run))]))
        written = [directory / folder / f"{self.name}-Manifest.json" for folder in folders]
        for path in written:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
            set_time(path, run.submitted_at)
        if self.form.for_athena:
            self._write_for_athena(run, directory, months_before)
        return written[0]

    def _folder(self, run: ScheduledRun) -> str:
        if self.form.is_data_export:
            at = f"{run.submitted_at:%Y-%m-%dT%H:%M:%S}.{run.submitted_at.microsecond // 1000:03d}Z"
            own = [] if self.overwrites else [f"{at}-{run.run_id}"]
            return self._below("data", self._partition(run), *own)
        if self.form.for_athena:
            month = f"month={run.month.month}"
            return self._below(self.name, f"year={run.month.year}", month)
        return self._below(_range(run), *([] if self.overwrites else [run.run_id]))

    def _partition(self, run: ScheduledRun) -> str:
        # FOCUS exports write it in small letters, although AWS documents capitals.
        name = "billing_period" if self.form.table == "focus" else "BILLING_PERIOD"
        return f"{name}={run.month}"

    def _below(self, *folders: str) -> str:
        return "/".join(part for part in (self.prefix, self.name, *folders) if part)

    def _write_for_athena(self, run: ScheduledRun, directory: Path, months_before: int) -> None:
        """What AWS writes beside a report for Athena; the status is one for the report."""
        columns = ",\n  ".join(
            f"{quote_identifier(column.name)} {column.kind}"
            for column in report_columns(months_before)
        )
        home = self._below(self.name)
        texts = {
            self._below(_range(run), f"{self.name}-create-table.sql"): (
                f"CREATE EXTERNAL TABLE {quote_identifier(self.name)} (\n  {columns}\n)\n"
                f"LOCATION 's3://bucket/{home}/'\n"
            ),
            self._below("crawler-cfn.yml"): "AWSTemplateFormatVersion: 2010-09-09\n",
            "/".join(filter(None, (self.prefix, "aws-programmatic-access-test-object"))): "\n",
        }
        for key, text in texts.items():
            (directory / key).parent.mkdir(parents=True, exist_ok=True)
            (directory / key).write_text(text, encoding="utf-8")
            set_time(directory / key, run.submitted_at)
        status = directory / home / _STATUS / f"{_STATUS}.parquet"
        with connect() as database:
            copy(database, "SELECT 'READY' AS status", status, "parquet", {})
        set_time(status, run.submitted_at + timedelta(minutes=1))


def _range(run: ScheduledRun) -> str:
    return f"{run.month.start:%Y%m%d}-{run.month.end:%Y%m%d}"
