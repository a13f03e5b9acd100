"""What AWS delivers besides reports in CSV: reports in Parquet, and Data Exports in every form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.periods import BillingPeriod
from contract.deliveries import AwsWriter, Charge, Delivery, Written, midnight, write_csv

__all__ = [
    "AthenaWriter",
    "AwsFocusCsvWriter",
    "AwsFocusWriter",
    "AwsParquetWriter",
    "Cur2CsvWriter",
    "Cur2Writer",
    "DataExportWriter",
    "TAGS",
]

MILLISECONDS = pa.timestamp("ms")
MAP = pa.map_(pa.string(), pa.string())
TAGS = {"user:Name": 'the "first"', "user:name": "zwei\nZeilen", "👩‍🔬, \\": "", "": "🦊"}
"""Keys that differ by case alone, or have quotes, signs and nothing in them."""


class AwsParquetWriter(AwsWriter):
    """Legacy CUR as Parquet, every run in a folder of its own."""

    prefix = "transfer/cur-parquet"
    changes_type = False
    ending = "snappy.parquet"

    def _write_part(self, delivery: Delivery, charges: Sequence[Charge], path: Path) -> None:
        columns = {
            "bill_billing_period_start_date": _times(
                [_starts(delivery, charge) for charge in charges]
            ),
            "line_item_usage_start_date": _times([midnight(charge.day) for charge in charges]),
            "line_item_unblended_cost": _doubles(charges),
            "line_item_currency_code": _texts([charge.currency for charge in charges]),
            "line_item_line_item_description": _texts([charge.note for charge in charges]),
            "product_region": _texts([None] * len(charges)),
        }
        for name, text in delivery.added.items():
            columns[self.added_column(name)] = _texts([text] * len(charges))
        kept = {name: values for name, values in columns.items() if name not in delivery.dropped}
        pq.write_table(pa.table(kept), path, compression="snappy")

    def _damage(self, path: Path) -> None:
        _break_pages(path)


class AthenaWriter(AwsParquetWriter):
    """Legacy CUR for Athena: a month is overwritten, and one file says whether it is at that."""

    prefix = "transfer/athena"

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes `<report>/<report>/year=/month=/`, manifests there and in `<report>/<range>/`."""
        period = BillingPeriod.parse(delivery.period)
        home = folder / self.prefix / self.export_name
        month = f"year={period.first_day.year}/month={period.first_day.month}"
        below = f"{self.export_name}/{self.export_name}/{month}"
        data = folder / self.prefix / below
        parts = self._write_parts(delivery, data)
        span = f"{period.first_day:%Y%m%d}-{period.next.first_day:%Y%m%d}"
        text = json.dumps(self._manifest(delivery, period, below, parts))
        name = f"{self.export_name}-Manifest.json"
        status = home / self.export_name / "cost_and_usage_data_status"
        for place in (home / span, status):
            place.mkdir(parents=True)
        manifest = home / span / name
        for path in (manifest, data / name):
            path.write_text(text)
        (home / "crawler-cfn.yml").write_text("Resources: {}\n")
        pq.write_table(pa.table({"status": ["READY"]}), status / f"{status.name}.parquet")
        _set_times(folder, delivery.submitted_at)
        return Written(folder=folder, manifest=manifest, parts=tuple(parts))


class DataExportWriter:
    """A Data Export: one manifest a month, in a folder beside that of the data."""

    section = "aws_billing"
    prefix = "transfer/exports"
    export_name = "daily"
    note_column = "line_item_line_item_description"
    day_column = "line_item_usage_start_date"
    cost_column = "line_item_unblended_cost"
    currency_column = "line_item_currency_code"
    period_column = "bill_billing_period_start_date"
    spare_column = "line_item_availability_zone"
    tags_column = "resource_tags"
    absent_text: str | None = None
    states_rows = False
    changes_type = False
    ending = "snappy.parquet"
    folder_of_month = "BILLING_PERIOD"

    def __init__(self, *, overwrites: bool = False) -> None:
        self.overwrites = overwrites
        """Whether a run is written over the one before it."""

    def added_column(self, name: str) -> str:
        """A column that the customer's query names as it likes."""
        return name

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes `data/<month>/`, and then `metadata/<month>/` with the manifest."""
        month = f"{self.folder_of_month}={delivery.period}"
        home = folder / self.prefix / self.export_name
        at = f"{delivery.submitted_at:%Y-%m-%dT%H:%M:%S}.000Z"
        below = month if self.overwrites else f"{month}/{at}-{delivery.run_id}"
        (home / "data" / below).mkdir(parents=True)
        parts: list[Path] = []
        for index, charges in enumerate(delivery.slices()):
            path = home / "data" / below / f"{self.export_name}-{index + 1:05d}.{self.ending}"
            self._write_part(self._columns(delivery, charges), path)
            if delivery.damaged and index == delivery.parts - 1:
                self._damage(path)
            parts.append(path)
        account = delivery.scope or "012345678901"
        columns = self._columns(delivery, [])
        manifest = home / "metadata" / month / f"{self.export_name}-Manifest.json"
        manifest.parent.mkdir(parents=True)
        manifest.write_text(
            json.dumps(
                {
                    "executionId": delivery.run_id,
                    "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{account}:export/daily-1",
                    "columns": [
                        {"name": name, "type": _word(values.type)}
                        for name, values in columns.items()
                    ],
                    # As AWS names them: without what a copy tool put before.
                    "dataFiles": [
                        f"s3://acme-bills/exports/{self.export_name}/data/{below}/{part.name}"
                        for part in parts
                    ],
                    "additionalOutputFiles": [],
                }
            )
        )
        _set_times(folder, delivery.submitted_at)
        return Written(folder=folder, manifest=manifest, parts=tuple(parts))

    def _columns(self, delivery: Delivery, charges: Sequence[Charge]) -> dict[str, Any]:
        columns = {
            self.period_column: _times([_starts(delivery, charge) for charge in charges]),
            self.day_column: _times([midnight(charge.day) for charge in charges]),
            self.cost_column: _doubles(charges),
            self.currency_column: _texts([charge.currency for charge in charges]),
            self.note_column: _texts([charge.note for charge in charges]),
            self.spare_column: _texts([None] * len(charges)),
            self.tags_column: pa.array([[*TAGS.items()] for _ in charges], MAP),
            **self._more_columns(charges),
        }
        for name, text in delivery.added.items():
            columns[self.added_column(name)] = _texts([text] * len(charges))
        return {name: values for name, values in columns.items() if name not in delivery.dropped}

    def _more_columns(self, charges: Sequence[Charge]) -> Mapping[str, Any]:
        product = [[("product_name", "Any")] for _ in charges]
        return {"product": pa.array(product, MAP)}

    def _write_part(self, columns: Mapping[str, Any], path: Path) -> None:
        if self.ending == "csv.gz":
            rows = zip(*(values.to_pylist() for values in columns.values()), strict=True)
            write_csv(path, [*columns], [[_cell(value) for value in row] for row in rows])
        else:
            pq.write_table(pa.table(dict(columns)), path, compression="snappy")

    def _damage(self, path: Path) -> None:
        if self.ending == "csv.gz":
            path.write_bytes(path.read_bytes()[:-12])
        else:
            _break_pages(path)


class Cur2Writer(DataExportWriter):
    """CUR 2.0 as Parquet."""

    prefix = "transfer/cur2"


class Cur2CsvWriter(DataExportWriter):
    """CUR 2.0 as gzipped CSV, where maps are the text of an object."""

    prefix = "transfer/cur2-csv"
    ending = "csv.gz"


class AwsFocusWriter(DataExportWriter):
    """FOCUS with AWS columns as Parquet."""

    section = "aws_focus_billing"
    prefix = "transfer/focus"
    note_column = "ChargeDescription"
    day_column = "ChargePeriodStart"
    cost_column = "BilledCost"
    currency_column = "BillingCurrency"
    period_column = "BillingPeriodStart"
    spare_column = "AvailabilityZone"
    tags_column = "Tags"
    folder_of_month = "billing_period"

    def added_column(self, name: str) -> str:
        """FOCUS calls what is not its own `x_`."""
        return f"x_{name}"

    def _more_columns(self, charges: Sequence[Charge]) -> Mapping[str, Any]:
        return {
            "ContractedCost": _doubles(charges),
            "EffectiveCost": _doubles(charges),
            "ListCost": _doubles(charges),
            "x_Discounts": pa.array(
                [[("EdpDiscount", -0.1)] for _ in charges], pa.map_(pa.string(), pa.float64())
            ),
        }


class AwsFocusCsvWriter(AwsFocusWriter):
    """FOCUS with AWS columns as gzipped CSV."""

    prefix = "transfer/focus-csv"
    ending = "csv.gz"


def _starts(delivery: Delivery, charge: Charge) -> datetime:
    return midnight(delivery.period_start or charge.period or delivery.first_day)


def _times(moments: Sequence[datetime]) -> Any:
    return pa.array([moment.replace(tzinfo=None) for moment in moments], MILLISECONDS)


def _doubles(charges: Sequence[Charge]) -> Any:
    return pa.array([float(charge.cost) for charge in charges], pa.float64())


def _texts(texts: Sequence[str | None]) -> Any:
    return pa.array(texts, pa.string())


def _word(kind: Any) -> str:
    """The type in the words of a manifest."""
    if pa.types.is_map(kind):
        return "map<string,double>" if kind.item_type == pa.float64() else "map<string,string>"
    return "timestamp_milliseconds" if pa.types.is_timestamp(kind) else str(kind)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    if isinstance(value, list):
        # In another order and with spaces, because no spelling is promised.
        return json.dumps(dict(reversed(value)), ensure_ascii=False)
    return "" if value is None else str(value)


def _break_pages(path: Path) -> None:
    """Breaks pages of data; the footer, which is at the end, stays whole."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 4
    content[4:middle] = b"\xff" * (middle - 4)
    path.write_bytes(content)


def _set_times(folder: Path, moment: datetime) -> None:
    """The manifests come last."""
    for path in folder.rglob("*"):
        if path.is_file():
            late = timedelta() if path.name.endswith("Manifest.json") else timedelta(minutes=1)
            seconds = (moment - late).astimezone(UTC).timestamp()
            os.utime(path, (seconds, seconds))
