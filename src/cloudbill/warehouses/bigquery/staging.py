"""Collects a month in a staging table, if one load job cannot replace it.

The parts are loaded into a partition of the staging table, their rows are compared, and one copy
job replaces the month. Copies are also free and atomic (BigQuery REST, JobConfigurationTableCopy).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.costs.sums import sum_totals, without_zeros
from cloudbill.disk.spool import spool_folder
from cloudbill.errors import BytesLimitError, LoadError, ReconciliationError, SchemaError
from cloudbill.files.columns import amounts_of, objects_of
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.downloads import local_parts
from cloudbill.files.to_parquet import Rewriting
from cloudbill.models import PlannedLoad, Totals
from cloudbill.progress import Stage
from cloudbill.text.counts import counted
from cloudbill.warehouses.bigquery.alarms import has_any
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.job_progress import JobProgress
from cloudbill.warehouses.bigquery.jobs import succeeded
from cloudbill.warehouses.bigquery.raw_staging import RAW_OPTIONS, RawStaging
from cloudbill.warehouses.bigquery.staging_tables import make_staging_table, settle_staging_table
from cloudbill.warehouses.bigquery.tables import (
    column_types,
    csv_options,
    fields_in_order,
    parquet_options,
)
from cloudbill.warehouses.bigquery.uploading import in_order
from cloudbill.warehouses.reconciliation import (
    require_costs,
    require_months,
    require_not_held,
    without_costs,
)

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["Staging"]

_MONTH_LENGTH: Final = len("2025-10")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    """A file that is uploaded, and what was rounded away of its costs."""

    file: Path
    rests: Totals = field(default_factory=dict)
    is_written: bool = False
    """Whether this process wrote the file for the upload alone."""

    def forget(self) -> None:
        """Makes room on the disk."""
        if self.is_written:
            self.file.unlink()


class Staging:
    """Fills a partition of a staging table."""

    def __init__(
        self,
        client: PersistentClient,
        settings: WarehouseSettings,
        dataset: Dataset,
        progress: JobProgress,
        stopped: threading.Event,
    ) -> None:
        self._client = client
        self._settings = settings
        self._dataset = dataset
        self._location = dataset.location
        self._progress = progress
        self._stopped = stopped
        self.rests: Totals = {}
        """What was rounded away of the costs, once a month is staged."""

    @contextmanager
    def filled(
        self,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        table: bigquery.Table,
        partition: str,
    ) -> Iterator[tuple[str, int]]:
        """A staging partition that contains the month, and its rows; it is removed at the end.

        All rows of a run over several months are staged, each in the partition of its month, so
        that all of them are counted.

        Raises:
            ReconciliationError: If it has other rows than the manifest states, or other months.
            HeldError: If a guard holds it.
            LoadError: If a part cannot be loaded.
        """
        what = _what(planned)
        with bigquery_errors(what):
            staging = make_staging_table(self._client, table, planned)
        try:
            with bigquery_errors(what):
                staging = settle_staging_table(self._client, table, staging)
            of_month = f"{staging.reference}${partition}"
            reference = str(staging.reference) if incoming.has_several_months else of_month
            if incoming.is_converted:
                rows = self._converted(planned, store, incoming, staging)
            elif incoming.is_native:
                rows = self._from_store(planned, incoming, table, reference)
            else:
                rows = self._through_client(
                    planned, store, incoming, table=table, reference=reference
                )
            _require_staged(planned, incoming.rows, rows)
            if incoming.has_several_months or incoming.is_converted:
                rows = self._rows_of_month(planned, staging.table_id, partition, rows)
            require_not_held(planned, rows)
            self._require_costs(planned, staging.table_id, rows)
            yield of_month, rows
        finally:
            with bigquery_errors(what):
                self._client.delete_table(staging, not_found_ok=True)

    def _converted(
        self, planned: PlannedLoad, store: Store, incoming: Incoming, staging: bigquery.Table
    ) -> int:
        """Loads the parts into a table of their own, and converts them into the staging table."""
        raw = RawStaging(self._client, self._dataset, staging)
        what = _what(planned)
        with bigquery_errors(what):
            made = raw.create(is_native=incoming.is_native)
        try:
            if incoming.is_native:
                config = bigquery.LoadJobConfig(**RAW_OPTIONS)
                rows = self._load_uris(planned, list(planned.uris), raw.reference, config)
                with bigquery_errors(what):
                    made = raw.filled()
            else:
                rows = self._through_client(
                    planned, store, incoming, table=made, reference=raw.reference
                )
            raw.convert(planned, incoming, made)
            if incoming.doubles and self._settings.totals:
                # Where a limit forbids to sum, the month is loaded without totals as well.
                with suppress(BytesLimitError):
                    rests = raw.rests(planned, incoming, made, self._settings.provider)
                    self.rests = without_zeros(rests)
            return rows
        finally:
            with bigquery_errors(what):
                self._client.delete_table(raw.reference, not_found_ok=True)

    def _rows_of_month(self, planned: PlannedLoad, name: str, partition: str, rows: int) -> int:
        """The rows of the month among those of all months, every one of which has to be known."""
        try:
            days = self._dataset.rows_by_day(name, planned)
        except BytesLimitError as error:
            raise BytesLimitError(
                f"{error}. The rows of run {planned.manifest.run_id} have to be counted by month "
                "before they replace one, so that it cannot be loaded under this limit. The month "
                "was not changed"
            ) from error
        if sum(days.values()) != rows:
            raise ReconciliationError(
                f"Run {planned.manifest.run_id} has {counted(rows, 'row')}, but {name} holds "
                f"{sum(days.values())} of them. The month was not changed",
                is_of_run=False,  # something else wrote into the staging table, or took from it
            )
        months: Counter[str] = Counter()
        for day, count in days.items():
            months[day[:_MONTH_LENGTH]] += count
        require_months(planned, months, period_column=planned.period_column)
        month = str(planned.period)
        in_month = sorted(day for day in days if day[:_MONTH_LENGTH] == month)
        others = [day for day in in_month if not day.replace("-", "").startswith(partition)]
        if others:
            raise LoadError(
                f"Table {planned.table} is partitioned by DAY, and the {planned.period_column} of "
                f"run {planned.manifest.run_id} lies on {', '.join(in_month)} in {month}, which no "
                "single job can replace. Partition the table by MONTH",
                is_of_run=False,
            )
        return months[month]

    def _require_costs(self, planned: PlannedLoad, name: str, rows: int) -> None:
        """Stops a run whose rows have no costs, or whose costs have collapsed.

        The costs are summed once the month is replaced, so they are summed here only where they are
        compared. A month may cost nothing; one of which no row says what it costs is no bill.
        """
        is_compared = planned.least_costs is not None or planned.read_least_costs is not None
        is_summed = is_compared and self._settings.totals
        billed = self._dataset.billed(name, planned) if is_summed else None
        # A first load without costs replaces nothing, and is told by its sums.
        is_asked = billed is not None or planned.replaces is not None or not self._settings.totals
        column = self._settings.provider.BILLED_COLUMN
        is_free = rows > 0 and is_asked and not any((billed or {}).values())
        if is_free and not has_any(self._dataset, name, planned, column):
            raise SchemaError(without_costs(planned, column))
        if billed is not None:
            require_costs(
                planned,
                billed=billed,
                read_charged=lambda: (
                    self._dataset.billed(name, planned, without_credits=True) or {}
                ),
            )

    def _from_store(
        self,
        planned: PlannedLoad,
        incoming: Incoming,
        table: bigquery.Table,
        reference: str,
    ) -> int:
        """Loads parts from the store, by one job for all parts with the same header.

        A load job maps the columns of CSV by position, from one list for all of its files.
        """
        if incoming.footers:
            fields = fields_in_order(incoming.columns, table.schema, incoming.required)
            config = self._config(parquet_options(fields))
            return self._load_uris(planned, list(planned.uris), reference, config)
        rows = 0
        parts = sorted(
            zip(incoming.part_columns, planned.uris, strict=True),
            key=lambda part: [column.name for column in part[0]],
        )
        for columns, group in groupby(parts, key=lambda part: part[0]):
            fields = fields_in_order(columns, table.schema, incoming.required)
            config = self._config(csv_options(fields))
            rows += self._load_uris(planned, [uri for _, uri in group], reference, config)
        return rows

    def _load_uris(
        self,
        planned: PlannedLoad,
        uris: list[str],
        reference: str,
        config: bigquery.LoadJobConfig,
    ) -> int:
        with bigquery_errors(_what(planned)):
            job = self._client.load_table_from_uri(
                uris, reference, location=self._location, job_config=config
            )
        while_job_runs = self._progress.at(Stage.STAGING)
        return int(succeeded(job, _what(planned), while_job_runs).output_rows)

    def _through_client(
        self,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        *,
        table: bigquery.Table,
        reference: str,
    ) -> int:
        """Uploads the parts: Parquet as it is, or what DuckDB rewrites as Parquet."""
        is_stopped = self._stopped.is_set
        listener = self._progress.listener
        with (
            local_parts(store, planned.manifest, listener, is_stopped=is_stopped) as files,
            self._uploads(files, planned, incoming, table) as uploads,
        ):
            arrived: list[int] = []

            def told(index: int) -> None:
                arrived.append(files[index].stat().st_size)
                self._progress.say(Stage.STAGING, part=len(arrived), done=sum(arrived))

            def send(index: int, upload: _Upload) -> tuple[int, Totals]:
                columns = incoming.part_columns[index]
                fields = fields_in_order(columns, table.schema, incoming.required)
                config = self._config(parquet_options(fields))
                with bigquery_errors(_what(planned)):
                    job = self._client.upload(
                        upload.file, reference, location=self._location, job_config=config
                    )
                rows = int(succeeded(job, _what(planned)).output_rows)
                upload.forget()
                return rows, upload.rests

            self._progress.say(Stage.STAGING, part=0, done=0)
            sent = in_order(uploads, send, told=told, is_stopped=is_stopped)
        self.rests = without_zeros(sum_totals(rests for _, rests in sent))
        return sum(rows for rows, _ in sent)

    @contextmanager
    def _uploads(
        self,
        files: Sequence[Path],
        planned: PlannedLoad,
        incoming: Incoming,
        table: bigquery.Table,
    ) -> Iterator[Iterator[_Upload]]:
        """What is uploaded, in the order of the parts."""
        if planned.manifest.file_format == "parquet" and not incoming.is_rewritten:
            yield (_Upload(file=file) for file in files)
            return
        provider = self._settings.provider
        types = column_types(table.schema)
        how = Rewriting(
            types={name.lower(): kind for name, kind in types.items()},
            amounts=amounts_of(provider, planned.manifest, types),
            objects=objects_of(provider, planned.manifest),
            provider=provider if self._settings.totals else None,
            period=planned.period if incoming.has_several_months else None,
            memory_limit=self._settings.memory_limit,
        )
        with _rewritten(files, planned, incoming, how) as uploads:
            yield uploads

    def _config(self, options: dict[str, Any]) -> bigquery.LoadJobConfig:
        return bigquery.LoadJobConfig(
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            **options,
        )


def _what(planned: PlannedLoad) -> str:
    return f"Staging {planned.period} of {planned.table}"


def _require_staged(planned: PlannedLoad, expected: int | None, rows: int) -> None:
    if expected is not None and rows != expected:
        raise ReconciliationError(
            f"The manifest {planned.manifest.path} states {counted(expected, 'row')}, its parts "
            f"have {rows}. "
            "The month was not changed; the run is delivered incomplete or was changed since"
        )


@contextmanager
def _rewritten(
    files: Sequence[Path], planned: PlannedLoad, incoming: Incoming, how: Rewriting
) -> Iterator[Iterator[_Upload]]:
    """Each file as Parquet in the types of the table.

    A few of them exist at a time, so the disk needs no second copy of the run.
    """
    with spool_folder() as folder:

        def rewrite() -> Iterator[_Upload]:
            headers = incoming.headers or [None] * len(files)
            for index, (file, address, header) in enumerate(
                zip(files, planned.uris, headers, strict=True)
            ):
                target = Path(folder, f"{index:05d}.parquet")
                if header is None:
                    rests = how.parquet(file, address, target)
                else:
                    rests = how.csv(CsvPart.of(file, address, header), target)
                yield _Upload(file=target, rests=rests, is_written=True)

        yield rewrite()
