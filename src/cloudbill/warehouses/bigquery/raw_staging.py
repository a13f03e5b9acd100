"""A table for what a load job reads as it is, and the statement that makes exact values of it.

BigQuery reads doubles and maps of Parquet as such, and no objects from Parquet at all. So they go
into a table of their own first, and one INSERT converts them on their way into the staging table:
the month itself is replaced as ever. It costs what a query over all columns of the run costs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.costs.sums import SumQuery, billed_costs, rests_by_currency
from cloudbill.errors import LoadError
from cloudbill.files.damage import OFTEN
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import Totals
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.conversion import (
    REST_DIGITS,
    double_rest,
    double_value,
    map_value,
    number_map_value,
    text_value,
    time_value,
)
from cloudbill.warehouses.bigquery.parameters import charges_of, month_of, rows_of
from cloudbill.warehouses.bigquery.tables import column_types, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.models import PlannedLoad
    from cloudbill.providers import Provider
    from cloudbill.warehouses.bigquery.client import PersistentClient
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["RAW_OPTIONS", "RawStaging"]

_NO_AMOUNT: Final = re.compile("'.+' holds .+, which is no (amount|number)")
"""What the statement itself says of a double, alone or in a map."""
RAW_OPTIONS: Final[dict[str, Any]] = {
    "source_format": bigquery.SourceFormat.PARQUET,
    "decimal_target_types": [bigquery.DecimalTargetType.BIGNUMERIC],
    "write_disposition": bigquery.WriteDisposition.WRITE_TRUNCATE,
    "create_disposition": bigquery.CreateDisposition.CREATE_NEVER,
}
"""Of the job that fills the table from the store, and gives it the columns of the files."""


class RawStaging:
    """The table beside a staging table, with the columns of a run as BigQuery reads them.

    It is made before it is filled, so that it expires if the process is killed, and so that a job
    that ends after it was given up finds no table and makes none.
    """

    def __init__(self, client: PersistentClient, dataset: Dataset, staging: bigquery.Table) -> None:
        self._client = client
        self._dataset = dataset
        self._staging = staging
        self.reference = f"{staging.reference}_raw"

    def create(self, *, is_native: bool) -> bigquery.Table:
        """Makes the table.

        A load job from the store gives it its columns: with WRITE_TRUNCATE it "uses the schema"
        of what it loads (BigQuery REST, JobConfigurationLoad.writeDisposition). For parts that this
        process writes they are known, and objects are texts in them.
        """
        schema = None if is_native else _with_texts(self._staging.schema)
        table = bigquery.Table(self.reference, schema=schema)
        table.expires = self._staging.expires
        return self._client.create_table(table)

    def filled(self) -> bigquery.Table:
        """The table once it is filled, with the columns that it has then.

        Nobody has seen on the service whether such a load keeps the time at which the table
        expires, so it is set again where it is gone.
        """
        table = self._client.get_table(self.reference)
        if table.expires is None:
            table.expires = self._staging.expires
            return self._client.update_table(table, ["expires"])
        return table

    def convert(self, planned: PlannedLoad, incoming: Incoming, raw: bigquery.Table) -> None:
        """Fills the staging table with exact values.

        Raises:
            LoadError: If a value is no amount, or no object; the message is BigQuery's.
        """
        checked = dict.fromkeys(incoming.doubles, double_value)
        checked |= dict.fromkeys(incoming.number_maps, number_map_value)
        names: list[bigquery.ScalarQueryParameter] = []
        values: list[Fragment] = []
        kinds = {name.lower(): kind for name, kind in column_types(raw.schema).items()}
        for column in incoming.columns:
            convert = checked.get(column.name)
            if convert is None:
                values.append(_value(column, incoming, kinds.get(column.target.lower())))
                continue
            parameter = f"column_{len(names)}"
            names.append(bigquery.ScalarQueryParameter(parameter, "STRING", column.name))
            values.append(convert(column.name, parameter))
        try:
            self._dataset.query(
                "INSERT INTO {staging} ({targets}) SELECT {values} FROM {raw}",
                *names,
                what=f"Converting {planned.period} of {planned.table}",
                staging=path_of(self._staging),
                targets=[
                    BIGQUERY.compose("{name}", name=column.target) for column in incoming.columns
                ],
                values=values,
                raw=rows_of(raw),
            )
        except LoadError as error:
            fault = _NO_AMOUNT.search(str(error))
            if fault is None:
                raise
            raise LoadError(
                f"Run {planned.manifest.run_id} cannot be loaded: {fault[0]}. {OFTEN}"
            ) from error

    def rests(
        self, planned: PlannedLoad, incoming: Incoming, raw: bigquery.Table, provider: Provider
    ) -> Totals:
        """What was rounded away of the costs of the month; asks nothing where none is a double.

        The table has the columns of the run alone, which may lack some that the month's table has.
        """
        charges = charges_of(raw)
        doubles = {name.lower() for name in incoming.doubles}
        billed = billed_costs(column_types(self._staging.schema), provider)
        costs = [cost for cost in billed if cost.lower() in doubles]
        if not costs or charges.kind(planned.period_column) is None:
            return {}
        query = SumQuery(
            relation=charges.relation,
            where=BIGQUERY.in_month(planned.period_column),
            currency=charges.text(provider.CURRENCY_COLUMN),
            columns={},
            rests={cost: double_rest(cost) for cost in costs},
        )
        rows = self._dataset.query(
            "{statement}",
            *month_of(planned.period, charges, planned.period_column),
            what=f"Summing what is rounded in {planned.period} of {planned.table}",
            statement=query.statement(BIGQUERY),
        )
        found = rests_by_currency(query.read([row.values() for row in rows]))
        return {
            currency: {cost: rest.scaleb(-REST_DIGITS) for cost, rest in rests.items()}
            for currency, rests in found.items()
        }


def _with_texts(schema: Sequence[bigquery.SchemaField]) -> list[bigquery.SchemaField]:
    return [
        bigquery.SchemaField(str(field.name), "STRING") if field.field_type == "JSON" else field
        for field in schema
    ]


def _value(column: Column, incoming: Incoming, kind: ColumnType | str | None) -> Fragment:
    """The value of a column that is of a type in the table of raw values."""
    if column.name in incoming.maps:
        return map_value(column.name)
    if column.type is ColumnType.JSON:
        return text_value(column.target)
    if column.type is ColumnType.TIMESTAMP:
        return time_value(column.target, is_in_utc=kind is ColumnType.TIMESTAMP)
    return BIGQUERY.compose("{name}", name=column.target)
