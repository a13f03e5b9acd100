"""Has the warehouse send the statements that change months, about tables without rows."""

from __future__ import annotations

from google.cloud import bigquery as bq

from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad
from cloudbill.warehouses.bigquery.full_access import fault_of_deleting
from cloudbill.warehouses.bigquery.incoming import Incoming
from cloudbill.warehouses.bigquery.raw_staging import RawStaging
from cloudbill.warehouses.bigquery.tables import column_types, fields_of
from cloudbill.warehouses.bigquery.warehouse import BigQueryWarehouse
from contract.places import DATASET, PROJECT

__all__ = ["ask_conversion", "change_protected"]


def ask_conversion(
    client: bq.Client, warehouse: BigQueryWarehouse, planned: PlannedLoad, table: bq.Table
) -> None:
    """Converts doubles, maps and texts of objects into a staging table, and sums their rests."""
    provider = warehouse._settings.provider  # noqa: SLF001
    cost = provider.COST_COLUMNS[0]
    known = [
        Column(
            name=field.name, target=field.name, type=ColumnType(column_types([field])[field.name])
        )
        for field in table.schema
    ]
    objects = [Column(name=n, target=n, type=ColumnType.JSON) for n in ("of_maps", "of_texts")]
    incoming = Incoming(
        columns=(*known, *objects),
        part_columns=(),
        footers=(),
        rows=None,
        is_native=True,
        doubles=frozenset({cost}),
        maps=frozenset({"of_maps"}),
        is_guarded=False,
        has_several_months=False,
        required=frozenset(),
    )
    # Times of Parquet come as either, by what the file says of its zone.
    for kind in ("TIMESTAMP", "DATETIME"):
        staging = client.create_table(
            bq.Table(
                f"{PROJECT}.{DATASET}.{planned.table}_of_{kind}",
                schema=[*table.schema, *fields_of(objects)],
            )
        )
        raw = RawStaging(warehouse._client, warehouse._dataset, staging)  # noqa: SLF001
        fields = [raw_field(field, cost=cost, times=kind) for field in table.schema]
        filled = client.create_table(bq.Table(raw.reference, schema=[*fields, *raw_objects()]))
        raw.convert(planned, incoming, filled)
        assert raw.rests(planned, incoming, filled, provider) == {}


def raw_field(field: bq.SchemaField, *, cost: str, times: str) -> bq.SchemaField:
    """A column of a table of bills as a load job reads it from Parquet."""
    kinds = {"TIMESTAMP": times} | ({field.field_type: "FLOAT"} if field.name == cost else {})
    return bq.SchemaField(field.name, kinds.get(field.field_type, field.field_type))


def raw_objects() -> list[bq.SchemaField]:
    """A column of maps and one of texts, as a load job reads them."""
    pair = [bq.SchemaField("key", "STRING"), bq.SchemaField("value", "STRING")]
    pairs = bq.SchemaField("key_value", "RECORD", mode="REPEATED", fields=pair)
    return [
        bq.SchemaField("of_maps", "RECORD", fields=[pairs]),
        bq.SchemaField("of_texts", "STRING"),
    ]


def change_protected(
    warehouse: BigQueryWarehouse, planned: PlannedLoad, client: bq.Client, table: bq.Table
) -> None:
    """Replaces and empties a month as where the table has policies or tags; there are no rows."""
    staging = bq.Table(f"{table.reference}_staging", schema=table.schema)
    client.create_table(staging)
    found = warehouse._dataset.find_table(planned.table)  # noqa: SLF001
    assert found is not None
    warehouse._protections.count(found, planned.period)  # noqa: SLF001
    assert warehouse._protections._fault_of_reading(found, planned.period) is None  # noqa: SLF001
    asking, column = warehouse._client, planned.period_column  # noqa: SLF001
    assert fault_of_deleting(asking, found, planned.period, column, location=None) is None
    staged = warehouse._staged  # noqa: SLF001
    source = f"{staging.reference}${planned.period.partition_id}"
    job = staged._insert(planned, source, 0, "replace", None)  # noqa: SLF001
    assert job.error_result is None
    staged.empty(planned, found)
