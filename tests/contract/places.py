"""A warehouse and the store that it is loaded from, read without the code under test."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from cloudbill.accepting import accept_run, dismiss_runs
from cloudbill.loading.events import Event
from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.words import outcomes_json
from cloudbill.models import LoadFailure, LoadResult, Skip
from cloudbill.periods import BillingPeriod
from cloudbill.pipeline import load_source, plan_source
from cloudbill.planning import Selection
from cloudbill.settings import SourceSettings, read_source
from cloudbill.sql import BIGQUERY, DUCKDB
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import open_warehouse
from contract.deliveries import Charge, Delivery, Writer, Written
from documents import require_fit

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

PROJECT = "acme"
DATASET = "finops"


class Place(Protocol):
    """Where runs are delivered to, and where months are read from."""

    name: str
    bucket: str

    def options(self) -> dict[str, str]:
        """The configuration keys of the warehouse."""

    def put(self, folder: Path) -> None:
        """Adds the files below a folder to the store."""

    def remove(self, path: str) -> None:
        """Takes an object out of the store."""

    def query(self, template: str, **pieces: Any) -> list[tuple[Any, ...]]:
        """Runs SQL that both warehouses know; `{table}` and the like are filled in."""

    def columns(self, table: str) -> dict[str, str]:
        """The columns of a table and their types, in the warehouse's words."""


@contextlib.contextmanager
def opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file of DuckDB, in an instance that is kept: to make one takes ten times the rest."""
    with _instance(os.getpid()).cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        try:
            connection.execute("ATTACH $file AS bills", {"file": str(database)})
        except duckdb.Error:  # such as one that this process has open
            with duckdb.connect(str(database)) as own:
                own.execute("SET TimeZone = 'UTC'")
                yield own
            return
        try:
            connection.execute("USE bills")
            yield connection
        finally:
            connection.execute("USE memory")
            connection.execute("DETACH bills")


@functools.cache
def _instance(_process: int) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


class OpenFile:
    """A DuckDB file that this process keeps open, emptied for each test.

    To open one takes 25 ms of computing, and a load opens it twice; one that is open already, none.
    """

    def __init__(self, database: Path) -> None:
        self.database = database
        self._connection = duckdb.connect(str(database))
        # Otherwise it would keep what it read of files that a test writes again.
        self._connection.execute("SET enable_external_file_cache = false")
        self._connection.execute("SET threads = 1")

    def reset(self) -> None:
        """Drops every schema, and takes up the log of the file."""
        schemas = self._connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal"
        ).fetchall()
        for (schema,) in schemas:
            text = DUCKDB.compose("DROP SCHEMA {schema} CASCADE", schema=str(schema)).text
            self._connection.execute(text)
        self._connection.execute("CHECKPOINT")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


class DiskAndDuckDB:
    """A folder, and a DuckDB file: one that is not there yet, or an empty one that is."""

    name = "duckdb"

    def __init__(self, folder: Path, database: Path | None = None) -> None:
        self._exports = folder / "exports"
        self._exports.mkdir()
        self.bucket = str(self._exports)
        self.database = database or folder / "bills.duckdb"

    def options(self) -> dict[str, str]:
        return {"database": str(self.database), "dataset": DATASET}

    def put(self, folder: Path) -> None:
        shutil.copytree(folder, self._exports, dirs_exist_ok=True)

    def remove(self, path: str) -> None:
        (self._exports / path).unlink()

    def query(self, template: str, **pieces: Any) -> list[tuple[Any, ...]]:
        with opened(self.database) as connection:
            text = DUCKDB.compose(template, **_qualified(pieces, (DATASET,))).text
            return connection.execute(text).fetchall()

    def columns(self, table: str) -> dict[str, str]:
        with opened(self.database) as connection:
            rows = connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() "
                "WHERE table_name = ? AND database_name = current_database()",
                [table],
            ).fetchall()
        return dict(rows)


class GcsAndBigQuery:
    """Both emulated, over one set of buckets."""

    name = "bigquery"
    bucket = "bills"

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        cloud.gcs.create_bucket(self.bucket)

    def options(self) -> dict[str, str]:
        return {"project_id": PROJECT, "dataset": DATASET}

    def client(self) -> Any:
        """BigQuery, past the code under test."""
        return self._cloud.bigquery.client(PROJECT)

    def put(self, folder: Path) -> None:
        self._cloud.gcs.upload_tree(folder, self.bucket, "")

    def remove(self, path: str) -> None:
        self._cloud.gcs.delete(self.bucket, path)

    def query(self, template: str, **pieces: Any) -> list[tuple[Any, ...]]:
        text = BIGQUERY.compose(template, **_qualified(pieces, (PROJECT, DATASET))).text
        client = self._cloud.bigquery.client(PROJECT)
        return [tuple(row.values()) for row in client.query_and_wait(text)]

    def columns(self, table: str) -> dict[str, str]:
        found = self._cloud.bigquery.client(PROJECT).get_table(f"{PROJECT}.{DATASET}.{table}")
        return {field.name: field.field_type for field in found.schema}


def _qualified(pieces: dict[str, Any], home: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: (*home, piece) if name.startswith("table") else piece
        for name, piece in pieces.items()
    }


@dataclass
class Case:
    """A place and a provider: everything that a rule needs to be tried."""

    place: Place
    writer: Writer
    scratch: Path
    export: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    """More keys of the configuration."""
    events: list[Event] = field(default_factory=list)

    @property
    def table(self) -> str:
        return "bill" if self.export is None else f"bill_{self.export}"

    @property
    def settings(self) -> SourceSettings:
        from cloudbill.providers import PROVIDERS

        provider = next(p for p in PROVIDERS.values() if self.writer.section == p.SECTION)
        source = provider.SECTION if self.export is None else f"{provider.SECTION}.{self.export}"
        return read_source(
            source,
            provider,
            [],
            {
                "bucket": self.place.bucket,
                "prefix": self.writer.prefix,
                "export_name": self.writer.export_name,
                "table_name": self.table,
                **self.place.options(),
                **self.keys,
            },
        )

    def write(self, delivery: Delivery) -> Written:
        """Writes a run to a folder of its own, from where it may be changed and put."""
        return self.writer.write(Path(tempfile.mkdtemp(dir=self.scratch)), delivery)

    def deliver(self, *deliveries: Delivery) -> None:
        """Puts whole runs into the store."""
        for delivery in deliveries:
            self.place.put(self.write(delivery).folder)

    def load(self, *months: str, force: bool = False, dry_run: bool = False) -> Outcome:
        """Runs the loader once."""
        selection = Selection(
            periods=frozenset(BillingPeriod.parse(month) for month in months), force=force
        )
        run = plan_source if dry_run else load_source
        outcome = run(self.settings, selection, self.events.append)
        require_fit("plan" if dry_run else "load", outcomes_json([outcome], dry_run=dry_run))
        return outcome

    def load_unrecorded(self) -> list[LoadResult | LoadFailure | Skip]:
        """Loads what is planned, and ends before it is recorded, as a killed process does."""
        settings = self.settings
        with contextlib.closing(open_warehouse(settings.warehouse)) as warehouse:
            present = read_present(settings, warehouse)
            found = survey(settings, present, Selection(), self.events.append)
            return list(load_planned(warehouse, found.store, found.plan.loads, self.events.append))

    def accept(
        self, month: str, run_id: str | None = None, *, takes_slice: bool = False
    ) -> Outcome:
        """Says that a held run is right."""
        period = BillingPeriod.parse(month)
        return accept_run(
            [self.settings], period, run_id, self.events.append, takes_slice=takes_slice
        )

    def dismiss(self, month: str, run_id: str | None = None) -> list[str]:
        """Says that a run is not wanted, and gives the ids of those that were meant."""
        period = BillingPeriod.parse(month)
        return [one.run_id for one in dismiss_runs(self.settings, period, run_id)]

    def held(self, period: str | None = None) -> list[Charge]:
        """The charges that the table holds, of one month or of all, in order."""
        rows = self.place.query(
            "SELECT {day}, {cost}, {note}, {currency}, {period} FROM {table}",
            day=self.writer.day_column,
            cost=self.writer.cost_column,
            note=self.writer.note_column,
            currency=self.writer.currency_column,
            period=self.writer.period_column,
            table=self.table,
        )
        found = [
            Charge(day=row[0].date(), cost=row[1], note=row[2] or "", currency=row[3])
            for row in rows
            if period in {None, f"{row[4]:%Y-%m}"}
        ]
        return sorted(found, key=lambda charge: (charge.day, charge.note, charge.cost))

    def values(self, column: str) -> list[Any]:
        """The values of one column, over all months."""
        rows = self.place.query("SELECT {column} FROM {table}", column=column, table=self.table)
        return [row[0] for row in rows]

    def tracked(self) -> list[tuple[str, str, int, int]]:
        """Month, run, rows and parts of each row of the tracking table, in order."""
        rows = self.place.query(
            "SELECT billing_month, run_id, row_count, file_count FROM {table} ORDER BY loaded_at",
            table=f"{self.table}_load_tracking",
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]
