"""Everything that the warehouse and `doctor` ask BigQuery about the tables of a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from google.cloud import bigquery as bq

from cloudbill.costs.cube import CubeRequest
from cloudbill.doctor.bigquery import check_bigquery
from cloudbill.doctor.rights import check_missing_dataset
from cloudbill.doctor.smoke_statements import start
from cloudbill.focus.keeping import plan_views
from cloudbill.looking.export_sums import BillReader, bill_of_table
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.report.model import BY_DAY, BY_MONTH, BY_TAGS, measures_of
from cloudbill.settings import SourceSettings, read_source
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses.bigquery.alarms import has_any
from cloudbill.warehouses.bigquery.client import open_client
from cloudbill.warehouses.bigquery.incoming import look_at
from cloudbill.warehouses.bigquery.tables import (
    new_table,
)
from cloudbill.warehouses.bigquery.warehouse import BigQueryWarehouse
from contract.changed_months import ask_conversion, change_protected
from contract.places import DATASET, PROJECT
from contract.statements import (
    Sent,
    ledger_tables,
    recording,
    tables_of,
)

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "azure_billing": ("azure/billing", "focus-daily", "azure_focus_billing_data"),
    "aws_billing": ("aws/cur", "cur-hourly", "aws_cur_billing_data"),
}
PERIODS = [BillingPeriod.parse(month) for month in ("2025-09", "2025-11")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was sent about one table, while the dataset had these tables."""

    tables: Mapping[tuple[str, ...], Mapping[str, str]]
    sent: list[Sent]
    table: bq.Table
    planned: PlannedLoad
    settings: SourceSettings


def everything_asked_of(section: str, kind: ColumnType, server: BigQueryEmulator) -> Asked:
    """Makes the tables of a source, and calls whatever asks BigQuery about them."""
    server.reset()
    client = server.client(PROJECT)
    client.create_dataset(f"{PROJECT}.{DATASET}")
    provider = next(one for one in PROVIDERS.values() if section == one.SECTION)
    prefix, export, name = SAMPLES[section]
    settings = read_source(
        section,
        provider,
        [],
        {
            "bucket": str(ROOT / "sample_exports"),
            "prefix": prefix,
            "export_name": export,
            "table_name": name,
            "project_id": PROJECT,
            "dataset": DATASET,
        },
    )
    with recording() as sent, closing(BigQueryWarehouse.open(settings.warehouse)) as warehouse:
        found = survey(settings, read_present(settings, warehouse), Selection(), lambda _: None)
        planned = found.plan.loads[0]
        columns = [
            replace(one, type=kind) if one.target == planned.period_column else one
            for one in look_at(found.store, planned, provider, ()).columns
        ]
        table = client.create_table(table_of(f"{PROJECT}.{DATASET}.{name}", columns, planned))
        # The partitions of a table without rows are not asked.
        first_row = BIGQUERY.compose(
            "INSERT INTO {table} ({column}) VALUES ({kind} '2025-09-01')",
            table=(DATASET, name),
            column=planned.period_column,
            kind=Fragment(str(kind)),
        )
        client.query(first_row.text).result()
        for ledger, fields in ledger_tables(name).items():
            client.create_table(bq.Table(f"{PROJECT}.{DATASET}.{ledger}", schema=fields))
        read_present(settings, warehouse)
        ask_everything(warehouse, planned, settings)
        ask_conversion(client, warehouse, planned, table)
        change_protected(warehouse, planned, client, table)
        for left_over in plan_views([settings], warehouse).tables:
            warehouse.views.replace_table(left_over.name, left_over.query, left_over.comment)
        assert plan_views([settings], warehouse).tables == ()
        with closing(open_client(settings.warehouse)) as doctors:
            assert list(check_bigquery(doctors, settings, None))
            assert check_missing_dataset(doctors, settings).is_well
            start(doctors, "count", location=None, table=(PROJECT, DATASET, name)).result()
    tables = tables_of(client, DATASET)
    return Asked(tables=tables, sent=sent, table=table, planned=planned, settings=settings)


def table_of(reference: str, columns: list[Column], planned: PlannedLoad) -> bq.Table:
    """The table that the first load makes."""
    cluster = "ChargePeriodStart"
    if planned.period_column != "BillingPeriodStart":
        cluster = "line_item_usage_start_date"
    return new_table(
        reference, columns, period_column=planned.period_column, cluster_column=cluster
    )


def ask_everything(
    warehouse: BigQueryWarehouse, planned: PlannedLoad, settings: SourceSettings
) -> None:
    """Calls everything of the warehouse that reads tables."""
    table, provider = planned.table, settings.provider
    warehouse.table_months(table, planned.period_column)
    warehouse.daily_totals(table, planned.period)
    warehouse.month_totals(table, PERIODS)
    measures = measures_of(provider.ROLES, provider.COST_COLUMNS)
    for request in (
        CubeRequest(dimensions=BY_MONTH, measures=measures),
        CubeRequest(dimensions=BY_DAY, measures=measures, since=PERIODS[0]),
        CubeRequest(dimensions=BY_TAGS, measures=measures, with_tags=True, most=9),
    ):
        warehouse.cost_cube(table, request)
    for newest_only in (True, False):
        warehouse.read_ledger("cloudbill", [f"{table}_load_tracking"], newest_only=newest_only)
    warehouse.require_ledger_writable()
    reader = BillReader(warehouse, replace(bill_of_table(settings), is_view=True))
    reader.sums(PERIODS)
    warehouse.copy_rows(reader.rows(PERIODS[0]), Path(os.devnull), lambda _: None)
    counted = BIGQUERY.compose("SELECT COUNT(*) FROM {table}", table=warehouse.views.path(table))
    warehouse.questions().ask(counted.text, lambda _: None)
    dataset = warehouse._dataset  # noqa: SLF001
    dataset.rows_and_totals(planned)
    dataset.billed(table, planned)
    dataset.billed(table, planned, without_credits=True)
    assert not has_any(dataset, table, planned, provider.BILLED_COLUMN)
    dataset.rows_by_day(table, planned)
    dataset.rows_by_day(table, planned, of_month_alone=True)
    dataset.write_mark(planned)
