"""The sample bill of AWS in its forms: BigQuery has the rows that DuckDB has, value by value."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudbill.loading.outcome import Outcome
from cloudbill.looking.verification import verify_source
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.sample import AwsForm, write_aws
from cloudbill.settings import SourceSettings, read_source

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator
    from emulators.gcs import GcsEmulator

pytestmark = pytest.mark.long

PROJECT, DATASET, BUCKET = "acme", "finops", "bills"
BY_ONE_JOB = (AwsForm.FOCUS_1_2_CSV,)
BY_SQL = (AwsForm.CUR2_PARQUET, AwsForm.FOCUS_1_0)
HERE = (AwsForm.ZIP,)
"""What this process has to unpack."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Loaded:
    """A form in both warehouses, and the jobs of BigQuery that it took."""

    settings: SourceSettings
    outcome: Outcome
    again: Outcome
    verified: int
    jobs: list[str]
    rows: Rows
    in_duckdb: Rows


@pytest.fixture(scope="module")
def loaded(
    tmp_path_factory: pytest.TempPathFactory,
    bigquery_server: BigQueryEmulator,
    gcs_server: GcsEmulator,
) -> Iterator[Mapping[AwsForm, Loaded]]:
    """September in these forms, in a table for each of them."""
    folder = tmp_path_factory.mktemp("forms")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        patch.setenv("STORAGE_EMULATOR_HOST", gcs_server.url)
        patch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_server.url)
        Container()[PluggableRunContext].reload(str(folder))
        gcs_server.reset()
        bigquery_server.reset()
        gcs_server.create_bucket(BUCKET)
        yield {
            form: load(form, folder, bigquery_server, gcs_server)
            for form in (*BY_ONE_JOB, *BY_SQL, *HERE)
        }


def load(form: AwsForm, folder: Path, bigquery: BigQueryEmulator, gcs: GcsEmulator) -> Loaded:
    """Writes one form, and loads it into both warehouses."""
    (written,) = write_aws(
        folder / form,
        months=1,
        rows=90,
        seed=1,
        last=(2025, 9),
        open_month=False,
        runs_per_month=1,
        form=form,
        report_name="bill",
        prefix=form,
    )
    gcs.upload_tree(folder / form, BUCKET, "")
    provider = PROVIDERS[written.provider]
    shared = {"prefix": form, "export_name": "bill", "table_name": form.name.lower()}
    here = {"bucket": str(folder / form), "database": str(folder / "bills.duckdb")}
    there = {"bucket": f"gs://{BUCKET}", "project_id": PROJECT}
    home = {"dataset": DATASET}
    local = read_source(provider.SECTION, provider, [], {**shared, **here, **home})
    load_source(local, Selection(), lambda _: None)
    settings = read_source(provider.SECTION, provider, [], {**shared, **there, **home})
    client = bigquery.client(PROJECT)
    before = {job.job_id for job in client.list_jobs()}
    outcome = load_source(settings, Selection(), lambda _: None)
    made = [job for job in client.list_jobs() if job.job_id not in before]
    # dlt's own jobs, for the ledger, read no store.
    jobs = [
        job.job_type
        for job in made
        if job.job_type == "copy" or getattr(job, "source_uris", None) is not None
    ]
    table = f"{PROJECT}.{DATASET}.{settings.table_name}"
    rows = [dict(row.items()) for row in client.list_rows(table)]
    with contextlib.closing(duckdb.connect(str(folder / "bills.duckdb"))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(f'FROM {DATASET}."{settings.table_name}"')
        in_duckdb = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    return Loaded(
        settings=settings,
        outcome=outcome,
        again=load_source(settings, Selection(), lambda _: None),
        verified=verify_source(settings, frozenset(), lambda _: None).exit_code(strict=True),
        jobs=jobs,
        rows=rows,
        in_duckdb=in_duckdb,
    )


def shown(value: object) -> str:
    """A value without what its driver adds: a zone, zeros at the end, the text of an object."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    return str(value.normalize()) if isinstance(value, Decimal) else str(value)


@pytest.mark.parametrize("form", [*BY_ONE_JOB, *BY_SQL, *HERE])
def test_a_form_has_the_same_values_in_both_warehouses_and_is_loaded_once(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    one = loaded[form]
    assert [str(failure.error) for failure in one.outcome.failures] == []
    names = sorted(one.in_duckdb[0])
    assert sorted(one.rows[0]) == names
    assert len(one.rows) > 60
    assert sorted([shown(row[name]) for name in names] for row in one.rows) == sorted(
        [shown(row[name]) for name in names] for row in one.in_duckdb
    )
    assert one.verified == 0
    assert (one.again.exit_code, one.again.results) == (0, ())


@pytest.mark.parametrize("form", [*BY_ONE_JOB, *BY_SQL])
def test_no_part_in_the_store_passes_through_this_process(
    loaded: Mapping[AwsForm, Loaded], form: AwsForm
) -> None:
    assert sorted(loaded[form].jobs) == (["load"] if form in BY_ONE_JOB else ["copy", "load"])
