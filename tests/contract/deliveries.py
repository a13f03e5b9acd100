"""What a provider delivers, from charges that a test states: one writer for each format."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.models import BillingPeriod

DECIMAL = pa.decimal128(38, 18)
TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Charge:
    """One row of a bill, as far as the tests tell rows apart."""

    day: date
    cost: Decimal
    note: str = ""
    currency: str = "EUR"


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
    stated_rows: int | None = -1
    """What the manifest says of the rows: -1 the truth, None nothing."""
    added: Mapping[str, str] = field(default_factory=dict)
    """Columns beyond the usual ones, and the text that every row has in them."""
    dropped: frozenset[str] = frozenset()
    """Columns that are usual, but not delivered."""
    cost_as_text: bool = False
    """Whether the amounts come in another type than before."""

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return BillingPeriod.parse(self.period).first_day

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return BillingPeriod.parse(self.period).last_day

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

    def write(self, folder: Path, delivery: Delivery) -> Written:
        """Writes `<prefix>/<export>/<range>/<time>/<run>/` with its manifest and parts."""
        span = f"{delivery.first_day:%Y%m%d}-{delivery.last_day:%Y%m%d}"
        below = f"{self.export_name}/{span}/{delivery.submitted_at:%Y%m%d%H%M}/{delivery.run_id}"
        home = folder / self.prefix / below
        home.mkdir(parents=True)
        parts: list[Path] = []
        blobs: list[dict[str, Any]] = []
        for index, charges in enumerate(delivery.slices()):
            path = home / f"part_{index}_0001.snappy.parquet"
            pq.write_table(self._table(delivery, charges), path, compression="snappy")
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
                    "exportConfig": {"exportName": self.export_name, "type": "FocusCost"},
                    "runInfo": {
                        "runId": delivery.run_id,
                        "submittedTime": f"{delivery.submitted_at:%Y-%m-%dT%H:%M:%S.%f}7Z",
                        "startDate": f"{delivery.first_day}T00:00:00",
                        "endDate": f"{delivery.last_day}T00:00:00+00:00",
                    },
                    "blobs": blobs,
                }
            )
        )
        return Written(folder=folder, manifest=manifest, parts=tuple(parts))

    def _table(self, delivery: Delivery, charges: Sequence[Charge]) -> Any:
        start = midnight(delivery.period_start or delivery.first_day)
        costs = [charge.cost for charge in charges]
        amounts = (
            pa.array([str(cost) for cost in costs], pa.string())
            if delivery.cost_as_text
            else pa.array(costs, DECIMAL)
        )
        columns = {
            "BilledCost": amounts,
            "BillingCurrency": pa.array([charge.currency for charge in charges], pa.string()),
            "BillingPeriodStart": pa.array([start] * len(charges), TIMESTAMP),
            "ChargeDescription": pa.array([charge.note for charge in charges], pa.string()),
            "ChargePeriodStart": pa.array([midnight(charge.day) for charge in charges], TIMESTAMP),
            "ContractedCost": pa.array(costs, DECIMAL),
            "EffectiveCost": pa.array(costs, DECIMAL),
            "ListCost": pa.array(costs, DECIMAL),
            "ResourceId": pa.array([""] * len(charges), pa.string()),
        }
        for name, text in delivery.added.items():
            columns[name] = pa.array([text] * len(charges), pa.string())
        return pa.table(
            {name: values for name, values in columns.items() if name not in delivery.dropped}
        )


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
