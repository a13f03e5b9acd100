"""A table for what a load job reads as it is, and the statement that makes exact values of it.

BigQuery reads doubles and maps of Parquet as such, and no objects from Parquet at all. So they go
into a table of their own first, and one INSERT converts them on their way into the staging table:
the month itself is replaced as ever. It costs what a query over all columns of the run costs.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.costs.sums import Charges, SumQuery, billed_costs, rests_by_currency
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
)
from cloudbill.warehouses.bigquery.parameters import month_of
from cloudbill.warehouses.bigquery.tables import column_types, path_of

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad
    from cloudbill.providers import Provider
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["RAW_OPTIONS", "RawStaging"]

_NO_AMOUNT: Final = re.compile("'.+' holds .+, which is no (amount|number)")
"""What the statement itself says of a double, alone or in a map."""
RAW_OPTIONS: Final[dict[str, Any]] = {
    "source_format": bigquery.SourceFormat.PARQUET,
    "decimal_target_types": [bigquery.DecimalTargetType.BIGNUMERIC],
    "write_disposition": bigquery.WriteDisposition.WRITE_EMPTY,
    "create_disposition": bigquery.CreateDisposition.CREATE_IF_NEEDED,
}
"""Of the job that makes the table from the files: they state its columns, which all have."""


class RawStaging:
    """The table beside a staging table, with the columns of a run as BigQuery reads them."""

    def __init__(self, dataset: Dataset, staging: bigquery.Table, *, expires: datetime) -> None:
        self._dataset = dataset
        self._staging = staging
        self._expires = expires
        self.reference = f"{staging.reference}_raw"

    def table_of_texts(self) -> bigquery.Table:
        """The table to make for parts that this process writes: objects are texts in them."""
        fields = [
            bigquery.SchemaField(str(field.name), "STRING") if field.field_type == "JSON" else field
            for field in self._staging.schema
        ]
        table = bigquery.Table(self.reference, schema=fields)
        table.expires = self._expires
        return table

    def expiring(self) -> bigquery.Table:
        """The same for a table that a load job made, to be changed there."""
        table = bigquery.Table(self.reference)
        table.expires = self._expires
        return table

    def convert(self, planned: PlannedLoad, incoming: Incoming) -> None:
        """Fills the staging table with exact values.

        Raises:
            LoadError: If a value is no amount, or no object; the message is BigQuery's.
        """
        checked = dict.fromkeys(incoming.doubles, double_value)
        checked |= dict.fromkeys(incoming.number_maps, number_map_value)
        names: list[bigquery.ScalarQueryParameter] = []
        values: list[Fragment] = []
        for column in incoming.columns:
            convert = checked.get(column.name)
            if convert is None:
                values.append(_value(column, incoming))
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
                raw=path_of(bigquery.Table(self.reference)),
            )
        except LoadError as error:
            fault = _NO_AMOUNT.search(str(error))
            if fault is None:
                raise
            raise LoadError(
                f"Run {planned.manifest.run_id} cannot be loaded: {fault[0]}. {OFTEN}"
            ) from error

    def rests(self, planned: PlannedLoad, incoming: Incoming, provider: Provider) -> Totals:
        """What was rounded away of the costs of the month; asks nothing where none is a double."""
        kinds = column_types(self._staging.schema)
        costs = [cost for cost in billed_costs(kinds, provider) if cost in incoming.doubles]
        if not costs:
            return {}
        charges = Charges(
            dialect=BIGQUERY,
            relation=BIGQUERY.compose("{raw}", raw=path_of(bigquery.Table(self.reference))),
            kinds=kinds,
        )
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


def _value(column: Column, incoming: Incoming) -> Fragment:
    if column.name in incoming.maps:
        return map_value(column.name)
    if column.type is ColumnType.JSON:
        return text_value(column.target)
    if column.type is ColumnType.TIMESTAMP:
        # A time of Parquet that is not said to be in UTC is read as a DATETIME ("Loading Parquet
        # data", type conversions), and means UTC all the same.
        return BIGQUERY.compose("CAST({name} AS TIMESTAMP)", name=column.target)
    return BIGQUERY.compose("{name}", name=column.target)
