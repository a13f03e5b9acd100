"""Sources for dlt, which load months inside a pipeline of the user.

    pipeline = dlt.pipeline("bills", destination="duckdb", dataset_name="billing")
    pipeline.run(azure_billing_source(bucket="./exports", export_name="focus-daily"))

The months go to the configured warehouse, by native loads. Only the tracking table and the state,
which say what is loaded, go through dlt. If no warehouse is configured, the file and the dataset of
a DuckDB pipeline are used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from cloudbill.errors import ConfigError, DatasetError, LoadError, NoManifestError
from cloudbill.ledger.entries import tracking_row
from cloudbill.ledger.state import read_remembered, write_record
from cloudbill.ledger.tables import tracking_source
from cloudbill.loading.events import Event
from cloudbill.loading.months import load_planned
from cloudbill.loading.words import lines
from cloudbill.models import LoadFailure, LoadResult
from cloudbill.periods import utc_now
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings import SourceSettings, dlt_providers, read_source
from cloudbill.surveying import Present, compare_recorded, survey
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from dlt.extract import DltSource

__all__ = ["aws_billing_source", "aws_focus_billing_source", "azure_billing_source"]

_log = logging.getLogger(__name__)


def azure_billing_source(
    *,
    bucket: str | None = None,
    prefix: str | None = None,
    export_name: str | None = None,
    table_name: str | None = None,
    project_id: str | None = None,
    dataset: str | None = None,
    database: str | Path | None = None,
    name: str | None = None,
) -> DltSource:
    """Azure FOCUS exports as a dlt source that loads every month that has a newer run.

    Arguments override `[sources.azure_billing]`, or `[sources.azure_billing.<name>]` with `name`.
    A month that fails does not stop the others, but the source raises after the last of them; the
    months that were loaded are then not recorded, and loading them again changes nothing.

    Raises:
        ConfigError: If a value is missing. Errors of the load come out of `pipeline.run`, wrapped
            by dlt.
    """
    return _source(PROVIDERS["azure"], **locals())


def aws_billing_source(
    *,
    bucket: str | None = None,
    prefix: str | None = None,
    export_name: str | None = None,
    table_name: str | None = None,
    project_id: str | None = None,
    dataset: str | None = None,
    database: str | Path | None = None,
    name: str | None = None,
) -> DltSource:
    """AWS Cost and Usage Reports and CUR 2.0 as a dlt source; `export_name` is that of AWS.

    Everything else is as in `azure_billing_source`, with the section `[sources.aws_billing]`.

    Raises:
        ConfigError: If a value is missing. Errors of the load come out of `pipeline.run`, wrapped
            by dlt.
    """
    return _source(PROVIDERS["aws"], **locals())


def aws_focus_billing_source(
    *,
    bucket: str | None = None,
    prefix: str | None = None,
    export_name: str | None = None,
    table_name: str | None = None,
    project_id: str | None = None,
    dataset: str | None = None,
    database: str | Path | None = None,
    name: str | None = None,
) -> DltSource:
    """FOCUS exports of AWS as a dlt source.

    Everything else is as in `azure_billing_source`, with the section `[sources.aws_focus_billing]`.

    Raises:
        ConfigError: If a value is missing. Errors of the load come out of `pipeline.run`, wrapped
            by dlt.
    """
    return _source(PROVIDERS["aws_focus"], **locals())


def _source(provider: Provider, *, name: str | None, **given: object) -> DltSource:
    """A source; its other arguments are configuration keys of the same names."""
    section = provider.SECTION if name is None else f"{provider.SECTION}.{name}"
    named = read_source(section, provider, dlt_providers(), given)
    _make_missing_file(section, provider, given)

    def rows() -> Iterator[dict[str, object]]:
        fallback = _warehouse_of_pipeline()
        settings = read_source(section, provider, dlt_providers(), given, fallback)
        if settings.project_id is None and not settings.is_database_given:
            raise ConfigError(
                f"The source {section} does not know where the months go: the pipeline's "
                "destination is not DuckDB, and neither 'project_id' nor 'database' is given"
            )
        yield from _load(settings, dlt.current.resource_state())

    source: DltSource = tracking_source(named, rows)
    return source


def _load(settings: SourceSettings, state: dict[str, Any]) -> Iterator[dict[str, object]]:
    failures: list[LoadFailure] = []
    is_recording = False
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        table = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
        # The ledger of a pipeline of the user's own is the state that dlt gives to its resource.
        remembered = read_remembered(state)
        sequence = remembered.sequence
        present = Present(
            remembered=remembered, table=table, kept_from=settings.kept_from(utc_now())
        )
        present = compare_recorded(settings, warehouse, present, trusts_file=True)
        found = survey(settings, present, Selection(), _log_event, keeps_manifests=True)
        for outcome in load_planned(warehouse, found.store, found.plan.loads, _log_event):
            if isinstance(outcome, LoadFailure):
                failures.append(outcome)
            elif isinstance(outcome, LoadResult):
                is_recording = True
                sequence += 1
                record = replace(outcome.to_record(), sequence=sequence)
                write_record(state, record)
                yield tracking_row(record, outcome.planned.manifest.path)
    for failure in failures:
        _log.error("%s", failure.error)
    for unread in found.manifest_failures:
        _log.error("%s", unread.error)
    for reason in found.reasons:
        _log.error("%s", reason.error)
    # dlt forgets what a resource wrote if it raises. So months that were loaded are recorded first,
    # and what fails is raised by the run that finds nothing else to load.
    if failures and not is_recording:
        raise LoadError(
            "\n".join(
                f"{failure.planned.period} (run {failure.planned.manifest.run_id}): {failure.error}"
                for failure in failures
            )
        )
    for reason in found.reasons if not is_recording else ():
        if isinstance(reason.error, DatasetError | NoManifestError):
            raise reason.error


def _make_missing_file(section: str, provider: Provider, given: Mapping[str, object]) -> None:
    """Makes the DuckDB file of a pipeline that is there, if the months are to go there.

    dlt opens it first, and would make it for the newest DuckDB alone.
    """
    file = _file_of(dlt.current.pipeline()) if Container()[PipelineContext].is_active() else None
    if file is None or file.exists():
        return
    settings = read_source(section, provider, dlt_providers(), given, {"database": file})
    if settings.project_id is None and settings.database == file:
        open_warehouse(settings.warehouse).close()


def _file_of(pipeline: dlt.Pipeline) -> Path | None:
    """The DuckDB file of a pipeline, which need not exist; None where there is none."""
    if getattr(pipeline.destination, "destination_name", None) != "duckdb":
        return None
    database = getattr(pipeline.sql_client().credentials, "database", None)
    if not isinstance(database, str) or database.startswith(":"):
        return None
    return Path(database)


def _warehouse_of_pipeline() -> dict[str, object]:
    """The DuckDB file and the dataset of the running pipeline, if it has them."""
    pipeline = dlt.current.pipeline()
    fallback: dict[str, object] = {"dataset": pipeline.dataset_name}
    if pipeline.destination.destination_name == "duckdb":
        file = _file_of(pipeline)
        if file is None:
            raise ConfigError(
                "The pipeline's DuckDB database is not a file; give 'database' to the source"
            )
        fallback["database"] = file
    return fallback


def _log_event(event: Event) -> None:
    for line in lines(event):
        _log.info("%s", line)
