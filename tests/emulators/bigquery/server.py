"""The server, and what tests ask of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from bqemulator.api.dependencies import get_caller
from bqemulator.api.middleware import (
    AccessLogMiddleware,
    CorrelationIdMiddleware,
    MetricsMiddleware,
)
from bqemulator.config import Settings
from bqemulator.jobs.executor import JOB_RESULTS, JOB_SCHEMAS
from bqemulator.server import EmulatorServer
from bqemulator.storage.engine import CATALOG_SCHEMA, SNAPSHOTS_SCHEMA
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from starlette.middleware import Middleware

from emulators.bigquery.access import Gate
from emulators.bigquery.catalog import Catalog
from emulators.bigquery.engine import Engine
from emulators.bigquery.jobs import Fault, JobRunner, describe
from emulators.bigquery.listing import list_partitions_in_tables
from emulators.bigquery.routes import IN_THE_LOOP, job_routes
from emulators.bigquery.row_routes import row_routes
from emulators.bigquery.schema import store_bignumeric
from emulators.bigquery.statements import remember_statements
from emulators.bigquery.table_routes import permission_routes, table_routes
from emulators.bigquery.tables import quoted
from emulators.bigquery.upload_routes import upload_routes

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

T = TypeVar("T")

_DEADLINE_S = 30.0
_UNREAD = (AccessLogMiddleware, CorrelationIdMiddleware, MetricsMiddleware)
_BUILT_IN_SCHEMAS = ("main", "information_schema", "pg_catalog", CATALOG_SCHEMA, SNAPSHOTS_SCHEMA)


class _Server(EmulatorServer):
    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.engine = self._engine = Engine(settings)
        self.catalog = self._catalog = Catalog(self.engine)

    def install(self, gcs_root: Path) -> JobRunner:
        """Put our routes before the emulator's."""
        server, context = self._fastapi_server, self._context
        if server is None or context is None:
            raise RuntimeError("The server has not started")
        runner = JobRunner(
            context=context, engine=self.engine, catalog=self.catalog, gcs_root=gcs_root
        )
        app: Any = server.config.app
        # Its logs and figures are read by nobody here, and cost a fifth of an answer.
        app.user_middleware[:] = [one for one in app.user_middleware if one.cls not in _UNREAD]
        app.user_middleware.append(Middleware(Gate, access=runner.access))
        app.middleware_stack = None
        app.dependency_overrides |= IN_THE_LOOP
        app.dependency_overrides[get_caller] = runner.access.asked_identity
        stock = len(app.router.routes)
        for routes_of in (job_routes, permission_routes, row_routes, table_routes, upload_routes):
            app.include_router(routes_of(runner))
        routes = app.router.routes
        routes[:] = routes[stock:] + routes[:stock]
        return runner


class BigQueryEmulator:
    """BigQuery's REST API on 127.0.0.1, with the semantics of load and copy jobs."""

    def __init__(self, gcs_root: Path) -> None:
        settings = Settings(
            rest_port=0, grpc_port=0, gcs_local_root=gcs_root, enable_format_extensions=False
        )
        self._clients: list[bigquery.Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bigquery", daemon=True)
        self._thread.start()
        self._server = self._await(_new_server(settings))
        list_partitions_in_tables(self._server.engine)
        self._runner = self._server.install(gcs_root)
        self.url = self._server.rest_url

    @classmethod
    def start(cls, gcs_root: Path) -> BigQueryEmulator:
        """Start the server; ``gs://bucket/name`` is the file ``gcs_root/bucket/name``."""
        store_bignumeric()
        remember_statements()
        return cls(gcs_root)

    @property
    def faults(self) -> list[Fault]:
        """Hooks called with a stage and the job, which may raise JobError.

        Stages of a job: "start", "read:0", "read:1", ..., "commit".
        """
        return self._runner.faults

    @property
    def answer_after_s(self) -> float:
        """How long an insert waits for its job; after that it answers that the job runs."""
        return self._runner.answer_after_s

    @answer_after_s.setter
    def answer_after_s(self, seconds: float) -> None:
        self._runner.answer_after_s = seconds

    @property
    def is_sandbox(self) -> bool:
        """Whether the projects have no billing."""
        return self._runner.is_sandbox

    @is_sandbox.setter
    def is_sandbox(self, is_sandbox: bool) -> None:
        self._runner.is_sandbox = is_sandbox

    @property
    def row_weight(self) -> int:
        """For how many rows each one of a partitioned table counts where bytes are billed."""
        return self._runner.row_weight

    @row_weight.setter
    def row_weight(self, rows: int) -> None:
        self._runner.row_weight = rows

    @property
    def knows_columns_of_views(self) -> bool:
        """Whether views have their columns, which take seconds to find; few tests need them."""
        return self._runner.knows_columns_of_views

    @knows_columns_of_views.setter
    def knows_columns_of_views(self, knows: bool) -> None:
        self._runner.knows_columns_of_views = knows

    @property
    def lists_late(self) -> bool:
        """Whether partitions are not listed after they were written, as long as it is true."""
        return self._server.catalog.lists_late

    @lists_late.setter
    def lists_late(self, lists_late: bool) -> None:
        self._server.catalog.lists_late = lists_late

    @property
    def lists_emptied(self) -> bool:
        """Whether partitions without rows are listed, once they were written."""
        return self._server.catalog.lists_emptied

    @lists_emptied.setter
    def lists_emptied(self, lists_emptied: bool) -> None:
        self._server.catalog.lists_emptied = lists_emptied

    @property
    def caller(self) -> str:
        """The account that asks, as row access policies name it: `serviceAccount:...`."""
        return self._runner.access.caller

    @caller.setter
    def caller(self, caller: str) -> None:
        self._runner.access.caller = caller

    def deny(self, *permissions: str) -> None:
        """Takes permissions from the account that asks, until the next reset.

        Those of requests are in `access.py`; bigquery.tables.getData, .updateData, .setCategory and
        datacatalog.categories.fineGrainedGet are asked for by jobs.
        """
        self._runner.access.denied.update(permissions)

    def jobs(self) -> list[dict[str, Any]]:
        """Every job since the last reset, in the order in which they came."""
        return [describe(job) for job in self._server.catalog.all_jobs()]

    def relax(self, table: str, column: str) -> None:
        """Makes a column NULLABLE at once, from within a fault, where no request gets through."""
        catalog = self._server.catalog
        found = catalog.get_table(*table.split("."))
        if found is None:
            raise LookupError(table)
        fields = tuple(
            field.model_copy(update={"mode": "NULLABLE"}) if field.name == column else field
            for field in found.schema_.fields
        )
        schema = found.schema_.model_copy(update={"fields": fields})
        catalog.update_table(found.model_copy(update={"schema_": schema}))

    def expire(self, table: str, milliseconds: int) -> None:
        """Lets partitions expire from now on, from within a fault, as `relax` does."""
        catalog = self._server.catalog
        found = catalog.get_table(*table.split("."))
        if found is None or found.time_partitioning is None:
            raise LookupError(table)
        by = found.time_partitioning.model_copy(update={"expiration_ms": milliseconds})
        catalog.update_table(found.model_copy(update={"time_partitioning": by}))

    def client(self, project: str) -> bigquery.Client:
        """A client of the project that needs no credentials; the next reset closes it."""
        client = bigquery.Client(
            project=project,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=self.url),
            location="US",
        )
        self._clients.append(client)
        return client

    def reset(self) -> None:
        """Drop every dataset, table, job and fault."""
        self._close_clients()
        self._runner.clear()
        self._runner.answer_after_s = _DEADLINE_S
        self._runner.is_sandbox = False
        self._runner.row_weight = 1
        self._runner.knows_columns_of_views = False
        self._server.catalog.lists_late = False
        self._server.catalog.lists_emptied = False
        self._await(self._reset())

    def stop(self) -> None:
        """End the server."""
        self._close_clients()
        self._await(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DEADLINE_S)
        self._loop.close()

    def _close_clients(self) -> None:
        for client in self._clients:
            client.close()
        self._clients.clear()

    async def _reset(self) -> None:
        engine = self._runner.context.engine
        async with engine.write_lock():
            found = engine.execute("SELECT schema_name FROM duckdb_schemas() WHERE NOT internal")
            schemas = {row[0] for row in found.fetchall()}.difference(_BUILT_IN_SCHEMAS)
            for schema in (*schemas, SNAPSHOTS_SCHEMA):
                engine.execute(f"DROP SCHEMA {quoted(schema)} CASCADE")
            engine.execute(f"CREATE SCHEMA {quoted(SNAPSHOTS_SCHEMA)}")
            self._server.catalog.clear()
            self._runner.clear()
            JOB_RESULTS.clear()
            JOB_SCHEMAS.clear()

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE_S)


async def _new_server(settings: Settings) -> _Server:
    """Start a server within the running loop; the process keeps its own logging."""
    server = _Server(settings)
    with mock.patch("bqemulator.server.configure_logging"):
        await server.start()
    return server
