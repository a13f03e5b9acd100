"""What the points of the smoke test work with: loads as `cloudbill load` does them, and probes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.doctor.smoke_place import Folder, Place
from cloudbill.doctor.smoke_statements import start
from cloudbill.errors import LoadError
from cloudbill.loading.stopping import Stop
from cloudbill.periods import BillingPeriod
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.sample import WrittenRun
from cloudbill.settings.files import dlt_context
from cloudbill.warehouses.bigquery.client import PersistentClient
from cloudbill.warehouses.bigquery.jobs import wait_for

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome
    from cloudbill.models import LoadResult
    from cloudbill.settings import SourceSettings

__all__ = ["Trial", "own_state", "probe_fields", "result_of"]

_STATE: Final = "DLT_DATA_DIR"
_PAGE: Final = 1000
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_FIELDS: Final = (
    bigquery.SchemaField("period", "TIMESTAMP"),
    bigquery.SchemaField("word", "STRING"),
)


@dataclass(kw_only=True)
class Trial:
    """One run of the smoke test; `home` is a folder on this machine, and is removed at the end."""

    place: Place
    client: PersistentClient
    folder: Folder
    home: Path
    stop: Stop
    began_at: datetime
    months_reported: Callable[[SourceSettings], int]
    """How many months the page of `report` has of a source; raises where it cannot be drawn."""
    exports: Mapping[str, Mapping[str, WrittenRun]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    bytes_billed: int | None = None

    def settings(self, name: str, export: str | None = None) -> SourceSettings:
        """A source of its own table; it reads the export of its name, or another one."""
        return self.place.settings(name, export)

    def load(self, settings: SourceSettings, *months: str) -> Outcome:
        """Loads a source, or some months of it, as `cloudbill load` does.

        Raises:
            CloudbillError: If the load ended in an error.
            KeyboardInterrupt: If the user stopped it.
        """
        periods = frozenset(BillingPeriod.parse(month) for month in months)
        with self.stop.for_a_source():
            outcome = load_source(settings, Selection(periods=periods), _ignore, stop=self.stop)
        if self.stop.is_asked:
            raise KeyboardInterrupt
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def load_once(self, name: str) -> Outcome:
        """The load of a source that several points look at; raises as `load` does."""
        if name not in self.outcomes:
            self.outcomes[name] = self.load(self.settings(name))
        return self.outcomes[name]

    def job(self, job_id: str | None) -> Any:
        """A job as BigQuery describes it.

        Raises:
            LoadError: If there is no id.
        """
        if job_id is None:
            raise LoadError("The load says of no job that replaced the month")
        return self.client.get_job(job_id, location=self.place.location)

    def jobs(self, kind: str = "") -> list[Any]:
        """The jobs of this run, or those of a kind, newest first: whatever names its dataset."""
        since = self.began_at - _CLOCKS_DIFFER  # the name of the dataset tells them anyway
        listed = self.client.list_jobs(min_creation_time=since, page_size=_PAGE)
        return [
            job
            for job in listed
            if job.job_type.startswith(kind) and self.place.dataset in json.dumps(job.to_api_repr())
        ]

    def ask(self, name: str, **pieces: Any) -> list[bigquery.Row]:
        """The rows of a statement of `smoke_statements`."""
        return list(self.start(name, **pieces).result())

    def start(self, name: str, **pieces: Any) -> bigquery.QueryJob:
        """A statement of `smoke_statements` as a job."""
        return start(self.client, name, location=self.place.location, **pieces)

    def path(self, *names: str) -> tuple[str, ...]:
        """The dataset or a table of it, for SQL."""
        return (self.place.project, self.place.dataset, *names)

    def reference(self, table: str) -> str:
        """A table, for the API."""
        return ".".join(self.path(table))

    def make_table(
        self, name: str, *, expiration_ms: int | None = None, is_required: bool = False
    ) -> bigquery.Table:
        """A small table of probes, by month: a period and a word."""
        fields = probe_fields("REQUIRED" if is_required else "NULLABLE")
        table = bigquery.Table(self.reference(name), schema=fields)
        table.time_partitioning = bigquery.TimePartitioning(
            type_=bigquery.TimePartitioningType.MONTH, field="period", expiration_ms=expiration_ms
        )
        return self.client.create_table(table)

    def plain_load(
        self, destination: str, uri: str, *, write: str = "WRITE_TRUNCATE", **options: Any
    ) -> Any:
        """A load job of one file as anybody may start it; it is done, well or not."""
        config = bigquery.LoadJobConfig(
            write_disposition=write, create_disposition="CREATE_NEVER", **options
        )
        if config.source_format is None:
            config.source_format = bigquery.SourceFormat.CSV
        job = self.client.load_table_from_uri(
            uri, self.reference(destination), location=self.place.location, job_config=config
        )
        wait_for(job, f"Loading {destination}")
        return job

    def plain_copy(self, source: str, destination: str) -> Any:
        """A copy job that replaces its destination; it is done, well or not."""
        job = self.client.copy_table(
            self.reference(source),
            self.reference(destination),
            location=self.place.location,
            job_config=bigquery.CopyJobConfig(write_disposition="WRITE_TRUNCATE"),
        )
        wait_for(job, f"Copying {source}")
        return job

    def put_words(self, name: str, words: Mapping[str, str], *, header: bool = False) -> str:
        """Writes a CSV file of probes, a day and a word in each line; gives its address."""
        lines = ["period,word"] if header else []
        lines += [f"{day} 00:00:00 UTC,{word}" for word, day in words.items()]
        return self.folder.put(f"probes/{name}.csv", "".join(f"{one}\n" for one in lines).encode())

    def words(self, table: str) -> dict[str, str]:
        """The words that each month of a table of probes has; reading rows bills nothing.

        Of a table with row access policies, only who sees all rows may do that.
        """
        found: dict[str, list[str]] = {}
        for row in self.client.list_rows(self.client.get_table(self.reference(table))):
            found.setdefault(f"{row[0]:%Y%m}", []).append(str(row[1]))
        return {month: " ".join(sorted(words)) for month, words in sorted(found.items())}


def probe_fields(mode: str) -> list[bigquery.SchemaField]:
    """The columns of a table of probes; the mode is that of the word."""
    return [
        bigquery.SchemaField("period", "TIMESTAMP"),
        bigquery.SchemaField("word", "STRING", mode=mode),
    ]


def result_of(outcome: Outcome, month: str) -> LoadResult:
    """What a load made of a month.

    Raises:
        CloudbillError: If it failed, or was not loaded.
    """
    for result in outcome.results:
        if str(result.planned.period) == month:
            return result
    for failure in outcome.failures:
        if str(failure.planned.period) == month:
            raise failure.error
    details = "; ".join(skip.detail for skip in outcome.skips if str(skip.manifest.period) == month)
    raise LoadError(f"{month} was not loaded{': ' if details else ''}{details}")


@contextmanager
def own_state(folder: Path) -> Iterator[None]:
    """While the block runs, what is kept between loads lies in a folder, not in the user's."""
    dlt_context()  # reads the settings of the user, before there is another folder
    before = os.environ.get(_STATE)
    os.environ[_STATE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_STATE]
        else:
            os.environ[_STATE] = before


def _ignore(_: object) -> None:
    """Hears what happens, and says nothing."""
