"""What a provider delivers, from charges that a test states: one writer for each format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.periods import BillingPeriod

DECIMAL = pa.decimal128(38, 18)
TIMESTAMP = pa.timestamp("us", tz="UTC")


NO_PERIOD = date.min
"""The billing period of a row that has none."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One row of a bill, as far as the tests tell rows apart."""

    day: date
    cost: Decimal
    note: str = ""
    currency: str = "EUR"
    period: date | None = field(default=None, compare=False)
    """What the row says of its billing period, where it is not what all rows of the run say."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One run of an export, and what is wrong with it, if anything is."""

    period: str
    charges: Sequence[Charge]
    submitted_at: datetime
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    parts: int = 2
    period_start: date | None = None
    """What the rows say of their billing period; by default the first day of the month."""
    covers: tuple[date, date] | None = None
    """The days that the run says it covers; by default the whole month."""
    stated_rows: int | None = -1
    """What the manifest says of the rows: -1 the truth, None nothing."""
    added: Mapping[str, str] = field(default_factory=dict)
    """Columns beyond the usual ones, and the text that every row has in them."""
    dropped: frozenset[str] = frozenset()
    """Columns that are usual, but not delivered."""
    cost_as_text: bool = False
    """Whether the amounts come as text."""
    cost_as_day: bool = False
    """Whether the amounts come as days, which are no amounts; in Parquet alone."""
    scope: str | None = None
    """What is billed together, such as a subscription; by default the manifest does not say."""
    time_frame: str | None = None
    """What the export says that each of its runs covers; Azure alone says that."""
    damaged: bool = False
    """Whether the data of the last part is broken, while all that describes it is whole."""

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return BillingPeriod.parse(self.period).first_day

    @property
    def covered(self) -> tuple[date, date]:
        """The first and last day that the run says it covers."""
        return self.covers or (self.first_day, BillingPeriod.parse(self.period).last_day)

    def slices(self) -> list[Sequence[Charge]]:
        """The charges of each part."""
        size = max(1, -(-len(self.charges) // self.parts)) if self.parts else 1
        return [self.charges[index * size : (index + 1) * size] for index in range(self.parts)]


class Writer(Protocol):
    """How a provider delivers a run, and where its charges stand in the table."""

    section: str
    prefix: str
    export_name: str
    note_column: str
    day_column: str
    cost_column: str
    currency_column: str
    period_column: str
    spare_column: str
    """A column that a run may leave out."""
    absent_text: str | None
    """What a table holds where a file has no text."""
    states_rows: bool
    """Whether manifests count rows."""
    changes_type: bool
    """Whether a column may come in another type than before."""

    def added_column(self, name: str) -> str:
        """The column of the table that holds what a delivery adds under a name."""

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes a run below a folder that stands for a bucket."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files of a run; `folder` stands for the bucket."""

    folder: Path
    manifest: Path
    parts: tuple[Path, ...]


class AzureWriter:
    """FOCUS as Parquet, with as few columns as the rules need."""

    section = "azure_billing"
    prefix = "transfer/billing"
    export_name = "focus-daily"
    note_column = "ChargeDescription"
    day_column = "ChargePeriodStart"
    cost_column = "BilledCost"
    currency_column = "BillingCurrency"
    period_column = "BillingPeriodStart"
    spare_column = "ResourceId"
    absent_text: str | None = ""
    states_rows = True
    changes_type = True
    ending = "snappy.parquet"

    def added_column(self, name: str) -> str:
        """FOCUS calls what is not its own `x_`."""
        return f"x_{name}"

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes `<prefix>/<export>/<range>/<time>/<run>/` with its manifest and parts."""
        span = "{:%Y%m%d}-{:%Y%m%d}".format(*delivery.covered)
        below = f"{self.export_name}/{span}/{delivery.submitted_at:%Y%m%d%H%M}/{delivery.run_id}"
        home = folder / self.prefix / below
        home.mkdir(parents=True)
        parts: list[Path] = []
        blobs: list[dict[str, Any]] = []
        for index, charges in enumerate(delivery.slices()):
            path = home / f"part_{index}_0001.{self.ending}"
            self._write_part(delivery, charges, path)
            if delivery.damaged and index == delivery.parts - 1:
                self._damage(path)
            parts.append(path)
            blobs.append(
                {
                    # As Azure names it: without what a copy tool put before.
                    "blobName": f"billing/{below}/{path.name}",
                    "byteCount": path.stat().st_size,
                    "dataRowCount": len(charges) if delivery.stated_rows == -1 else None,
                }
            )
        stated = len(delivery.charges) if delivery.stated_rows == -1 else delivery.stated_rows
        manifest = home / "manifest.json"
        manifest.write_text(
            json.dumps(
                {
                    "manifestVersion": "2024-04-01",
                    "blobCount": len(blobs),
                    "dataRowCount": stated,
                    "exportConfig": self._config(delivery),
                    "runInfo": {
                        "runId": delivery.run_id,
                        "submittedTime": f"{delivery.submitted_at:%Y-%m-%dT%H:%M:%S.%f}7Z",
                        "startDate": f"{delivery.covered[0]}T00:00:00",
                        "endDate": f"{delivery.covered[1]}T00:00:00+00:00",
                    },
                    "blobs": blobs,
                }
            )
        )
        return Written(folder=folder, manifest=manifest, parts=tuple(parts))

    def _config(self, delivery: Delivery) -> dict[str, str]:
        config = {"exportName": self.export_name, "type": "FocusCost"}
        if delivery.scope is not None:
            home = "providers/Microsoft.CostManagement/exports"
            config["resourceId"] = f"/{delivery.scope}/{home}/{self.export_name}"
        if delivery.time_frame is not None:
            config["timeFrame"] = delivery.time_frame
        return config

    def _write_part(self, delivery: Delivery, charges: Sequence[Charge], path: Path) -> None:
        pq.write_table(self._table(delivery, charges), path, compression="snappy")

    def _damage(self, path: Path) -> None:
        """Breaks pages of data; the footer, which is at the end, stays whole."""
        content = bytearray(path.read_bytes())
        middle = len(content) // 4
        content[4:middle] = b"\xff" * (middle - 4)
        path.write_bytes(content)

    def _table(self, delivery: Delivery, charges: Sequence[Charge]) -> Any:
        starts = [
            delivery.period_start or charge.period or delivery.first_day for charge in charges
        ]
        costs = [charge.cost for charge in charges]
        amounts = pa.array(costs, DECIMAL)
        if delivery.cost_as_text:
            amounts = pa.array([str(cost) for cost in costs], pa.string())
        if delivery.cost_as_day:
            amounts = pa.array([charge.day for charge in charges], pa.date32())
        columns = {
            "BilledCost": amounts,
            "BillingCurrency": pa.array([charge.currency for charge in charges], pa.string()),
            "BillingPeriodStart": pa.array(
                [None if start == NO_PERIOD else midnight(start) for start in starts], TIMESTAMP
            ),
            "ChargeDescription": pa.array([charge.note for charge in charges], pa.string()),
            "ChargePeriodStart": pa.array([midnight(charge.day) for charge in charges], TIMESTAMP),
            "ContractedCost": pa.array(costs, DECIMAL),
            "EffectiveCost": pa.array(costs, DECIMAL),
            "ListCost": pa.array(costs, DECIMAL),
            "ResourceId": pa.array([""] * len(charges), pa.string()),
        }
        for name, text in delivery.added.items():
            columns[f"x_{name}"] = pa.array([text] * len(charges), pa.string())
        return pa.table(
            {name: values for name, values in columns.items() if name not in delivery.dropped}
        )


class AzureCsvWriter(AzureWriter):
    """FOCUS as gzipped CSV, where an absent text is an empty cell."""

    prefix = "transfer/csv"
    absent_text: str | None = None
    changes_type = False  # its types go by the names of the columns
    ending = "csv.gz"

    def _write_part(self, delivery: Delivery, charges: Sequence[Charge], path: Path) -> None:
        table = self._table(delivery, charges)
        rows = [list(row.values()) for row in table.to_pylist()]
        # Dates as FOCUS 1.0r2 writes them, and a byte order mark, which some exports have.
        texts = [[_cell(value) for value in row] for row in rows]
        write_csv(path, table.column_names, texts, start="\ufeff")

    def _damage(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-12])


class AwsWriter:
    """Legacy CUR as gzipped CSV, every run in a folder of its own."""

    section = "aws_billing"
    prefix = "transfer/cur"
    export_name = "cur-hourly"
    note_column = "line_item_line_item_description"
    day_column = "line_item_usage_start_date"
    cost_column = "line_item_unblended_cost"
    currency_column = "line_item_currency_code"
    period_column = "bill_billing_period_start_date"
    spare_column = "product_region"
    absent_text: str | None = None
    states_rows = False
    changes_type = True
    ending = "csv.gz"

    def __init__(self) -> None:
        self._current: dict[str, datetime] = {}

    def added_column(self, name: str) -> str:
        """Tags of users are what is added in reality."""
        return f"resource_tags_user_{name.lower()}"

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes `<range>/<assembly>/`, and `<range>/<report>-Manifest.json` if it is current."""
        period = BillingPeriod.parse(delivery.period)
        span = f"{period.first_day:%Y%m%d}-{period.next.first_day:%Y%m%d}"
        below = f"{self.export_name}/{span}/{delivery.run_id}"
        home = folder / self.prefix / below
        parts = self._write_parts(delivery, home)
        manifest = home / f"{self.export_name}-Manifest.json"
        manifest.write_text(json.dumps(self._manifest(delivery, period, below, parts)))
        times = [delivery.submitted_at.timestamp()] * 2
        for file in (*parts, manifest):
            os.utime(file, (times[0], times[1]))
        # AWS keeps the manifest of the newest run one folder up as well.
        if delivery.submitted_at >= self._current.get(delivery.period, delivery.submitted_at):
            self._current[delivery.period] = delivery.submitted_at
            shutil.copy2(manifest, home.parent / manifest.name)
        return Written(folder=folder, manifest=manifest, parts=tuple(parts))

    def _write_parts(self, delivery: Delivery, home: Path) -> list[Path]:
        home.mkdir(parents=True)
        parts: list[Path] = []
        for index, charges in enumerate(delivery.slices()):
            path = home / f"{self.export_name}-{index + 1:05d}.{self.ending}"
            self._write_part(delivery, charges, path)
            if delivery.damaged and index == delivery.parts - 1:
                self._damage(path)
            parts.append(path)
        return parts

    def _write_part(self, delivery: Delivery, charges: Sequence[Charge], path: Path) -> None:
        rows = [self._row(delivery, charge) for charge in charges]
        header = list(self._row(delivery, Charge(delivery.first_day, Decimal(0))))
        write_csv(path, header, [list(row.values()) for row in rows])

    def _damage(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-12])

    def _manifest(
        self, delivery: Delivery, period: BillingPeriod, below: str, parts: Sequence[Path]
    ) -> dict[str, Any]:
        types = {
            "bill/BillingPeriodStartDate": "DateTime",
            "lineItem/UsageStartDate": "DateTime",
            "lineItem/UnblendedCost": "OptionalString"
            if delivery.cost_as_text
            else "OptionalBigDecimal",
        }
        header = self._row(delivery, Charge(delivery.first_day, Decimal(0)))
        return {
            "assemblyId": delivery.run_id,
            **({} if delivery.scope is None else {"account": delivery.scope}),
            "reportName": self.export_name,
            "compression": "GZIP",
            "contentType": "text/csv",
            "billingPeriod": {
                "start": f"{period.first_day:%Y%m%dT000000.000Z}",
                "end": f"{period.next.first_day:%Y%m%dT000000.000Z}",
            },
            "columns": [
                {
                    "category": name.partition("/")[0],
                    "name": name.partition("/")[2],
                    "type": types.get(name, "String"),
                }
                for name in header
            ],
            "reportKeys": [f"cur/{below}/{part.name}" for part in parts],
        }

    def _row(self, delivery: Delivery, charge: Charge) -> dict[str, str]:
        start = delivery.period_start or delivery.first_day
        row = {
            "bill/BillingPeriodStartDate": f"{start}T00:00:00.000Z",
            "lineItem/UsageStartDate": f"{charge.day}T00:00:00Z",
            "lineItem/UnblendedCost": f"{charge.cost}",  # with an exponent where it is small
            "lineItem/CurrencyCode": charge.currency,
            "lineItem/LineItemDescription": charge.note,
            "product/region": "",
        }
        row |= {f"resourceTags/user:{name}": text for name, text in delivery.added.items()}
        dropped = {"product/region"} if self.spare_column in delivery.dropped else set()
        return {name: text for name, text in row.items() if name not in dropped}


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return "" if value is None else str(value)


def write_csv(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], *, start: str = ""
) -> None:
    """Writes a gzipped file, which begins with some text before its header."""
    text = io.StringIO(newline="")
    text.write(start)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def midnight(day: date) -> datetime:
    """The first moment of a day, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def at(text: str) -> datetime:
    """A time in UTC, from `2025-10-21 04:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def charges(period: str, *costs: str, note: str = "") -> list[Charge]:
    """One charge a day from the first of the month, each with its cost."""
    first = BillingPeriod.parse(period).first_day
    return [
        Charge(day=first + timedelta(days=index), cost=Decimal(cost), note=note)
        for index, cost in enumerate(costs)
    ]
