"""Ordinary deliveries of 60 days and more, as small files on disk with the times they would have.

The parts hold nothing that could be loaded: what is asked is which run would be.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from cloudbill.periods import BillingPeriod

__all__ = ["BYTES_PER_ROW", "FIRST_DAY", "WAYS", "Export", "Way", "keep_days"]

FIRST_DAY: Final = date(2025, 8, 1)
BYTES_PER_ROW: Final = 10
_ROWS_PER_DAY: Final = 40
_REOPENED_DAYS: Final = 5
_EXPORT: Final = "daily"
_EXPORTS: Final = "/providers/Microsoft.CostManagement/exports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an export delivers, and how its files reach the store."""

    provider: str
    overwrites: bool = False
    layout: str = "report"
    """Of AWS: `report`, `athena`, or `data export`."""
    of_whole_month: bool = False
    """Whether each run says that it covers the whole month."""
    copied: str | None = None
    """By which tool, if it is copied: it decides the order of the files, and their times."""


WAYS: Final = {
    "azure, month to date": Way(provider="azure"),
    "azure, the whole month stated": Way(provider="azure", of_whole_month=True),
    "azure, overwritten": Way(provider="azure", overwrites=True),
    "azure, by rclone": Way(provider="azure", copied="rclone"),
    "azure, by rclone with its times": Way(provider="azure", copied="rclone, times kept"),
    "azure, overwritten, by azcopy": Way(provider="azure", overwrites=True, copied="azcopy"),
    "aws, versions": Way(provider="aws"),
    "aws, overwritten": Way(provider="aws", overwrites=True),
    "aws, versions, by rclone": Way(provider="aws", copied="rclone"),
    "aws, versions, by azcopy": Way(provider="aws", copied="azcopy"),
    "aws, overwritten, by rclone": Way(provider="aws", overwrites=True, copied="rclone"),
    "aws, overwritten, by azcopy": Way(provider="aws", overwrites=True, copied="azcopy"),
    "aws, for Athena": Way(provider="aws", overwrites=True, layout="athena"),
    "aws, data export, versions": Way(provider="aws", layout="data export"),
    "aws, data export, overwritten": Way(provider="aws", overwrites=True, layout="data export"),
    "aws, focus, versions, by rclone": Way(
        provider="aws_focus", layout="data export", copied="rclone"
    ),
    "aws, focus, versions, by azcopy": Way(
        provider="aws_focus", layout="data export", copied="azcopy"
    ),
    "aws, focus, overwritten, by azcopy": Way(
        provider="aws_focus", overwrites=True, layout="data export", copied="azcopy"
    ),
}
_COLUMNS: Final = {
    "aws": ("bill_billing_period_start_date", "line_item_unblended_cost"),
    "aws_focus": ("BillingPeriodStart", "BilledCost"),
}
"""The columns that no Data Export may leave out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    path: str
    content: bytes
    at: datetime


@dataclass(slots=True, kw_only=True)
class Export:
    """An export that delivers a run each day at 4:00, and reopens the month before for some days.

    `newest` has the id of the newest run of each month that has arrived in full.
    """

    folder: Path
    way: Way
    seed: int
    newest: dict[BillingPeriod, str] = field(default_factory=dict)
    sizes: dict[str, list[int]] = field(default_factory=dict)
    """How long the parts of each run are."""
    runs: int = 0

    def deliver(self, day: date, halfway: Callable[[datetime], None]) -> datetime:
        """The runs of a day arrive; `halfway` is called when half of the files are there.

        Gives the time at which all are.
        """
        submitted_at = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        period = BillingPeriod.of(day)
        periods = [period]
        if day.day <= _REOPENED_DAYS and day - timedelta(days=day.day) >= FIRST_DAY:
            periods.append(BillingPeriod.of(day - timedelta(days=day.day)))
        at = submitted_at
        for number, one in enumerate(periods):
            at = submitted_at + timedelta(minutes=20 * number)
            files = list(self._run(one, day, at))
            # AWS writes its files over those of the run before.
            before = self._overwritten(one) if self.way.provider == "azure" else ()
            at = self._arrive(files, before, halfway)
            self.newest[one] = self._run_id(one, day)
            self.runs += 1
        return at

    def _run_id(self, period: BillingPeriod, day: date) -> str:
        return f"{period}-{day}"

    def _run(self, period: BillingPeriod, day: date, at: datetime) -> Iterator[_File]:
        last = min(day, period.last_day)
        drawn = random.Random(f"{self.seed} {period} {day}")
        # Usage is revised while a month is open, so a run may have a few rows less.
        rows = last.day * _ROWS_PER_DAY - drawn.randrange(8)
        count = 1 + rows // 500
        sizes = [BYTES_PER_ROW * (rows // count + (rows % count > part)) for part in range(count)]
        self.sizes[self._run_id(period, day)] = sizes
        make = self._azure if self.way.provider == "azure" else self._aws
        if self.way.layout == "data export":
            make = self._data_export
        yield from make(period, day, at, [drawn.randbytes(size) for size in sizes])

    def _azure(
        self, period: BillingPeriod, day: date, at: datetime, parts: list[bytes]
    ) -> Iterator[_File]:
        run_id = self._run_id(period, day)
        names = [_EXPORT, f"{period.first_day:%Y%m%d}-{period.last_day:%Y%m%d}"]
        names += [] if self.way.overwrites else [f"{at:%Y%m%d%H%M}"]
        home = "/".join((*names, run_id))
        end = period.last_day if self.way.of_whole_month else min(day, period.last_day)
        for index, content in enumerate(parts):
            yield _File(path=f"{home}/part_{index}.parquet", content=content, at=at)
        document = {
            "dataRowCount": sum(map(len, parts)) // BYTES_PER_ROW,
            "exportConfig": {
                "exportName": _EXPORT,
                "type": "FocusCost",
                "timeFrame": "MonthToDate",
                "resourceId": f"/subscriptions/1{_EXPORTS}/{_EXPORT}",
            },
            "runInfo": {
                "runId": run_id,
                "submittedTime": at.isoformat(),
                "startDate": f"{period.first_day}T00:00:00",
                "endDate": f"{end}T00:00:00",
            },
            "blobs": [
                {
                    "blobName": f"{home}/part_{index}.parquet",
                    "byteCount": len(content),
                    "dataRowCount": len(content) // BYTES_PER_ROW,
                }
                for index, content in enumerate(parts)
            ],
        }
        manifest = json.dumps(document).encode()
        yield _File(path=f"{home}/manifest.json", content=manifest, at=at + timedelta(minutes=2))

    def _aws(
        self, period: BillingPeriod, day: date, at: datetime, parts: list[bytes]
    ) -> Iterator[_File]:
        run_id = self._run_id(period, day)
        month = f"{_EXPORT}/{period.first_day:%Y%m%d}-{period.next.first_day:%Y%m%d}"
        home = month if self.way.overwrites else f"{month}/{run_id}"
        folders, ending = (f"{month}/{run_id}", month), "csv.gz"
        if self.way.layout == "athena":
            first = period.first_day
            home = f"{_EXPORT}/{_EXPORT}/year={first.year}/month={first.month}"
            folders, ending = (home, month), "snappy.parquet"
        keys = [f"{home}/{_EXPORT}-{index:05d}.{ending}" for index in range(len(parts))]
        for key, content in zip(keys, parts, strict=True):
            yield _File(path=key, content=content, at=at)
        document = {
            "assemblyId": run_id,
            "account": "123456789012",
            "compression": "GZIP",
            "contentType": "text/csv",
            "billingPeriod": {
                "start": f"{period.first_day:%Y%m%d}T000000.000Z",
                "end": f"{period.next.first_day:%Y%m%d}T000000.000Z",
            },
            "columns": [],
            "reportKeys": keys,
        }
        manifest = json.dumps(document).encode()
        for folder in folders:
            yield _File(
                path=f"{folder}/{_EXPORT}-Manifest.json",
                content=manifest,
                at=at + timedelta(minutes=2),
            )

    def _data_export(
        self, period: BillingPeriod, day: date, at: datetime, parts: list[bytes]
    ) -> Iterator[_File]:
        run_id = self._run_id(period, day)
        month = f"billing_period={period}"
        below = month if self.way.overwrites else f"{month}/{at:%Y-%m-%dT%H:%M:%S}.000Z-{run_id}"
        ending = "snappy.parquet" if self.way.provider == "aws_focus" else "csv.gz"
        keys = [
            f"{_EXPORT}/data/{below}/{_EXPORT}-{index:05d}.{ending}" for index in range(len(parts))
        ]
        for key, content in zip(keys, parts, strict=True):
            yield _File(path=key, content=content, at=at)
        document = {
            "executionId": run_id,
            "exportArn": "arn:aws:bcm-data-exports:us-east-1:123456789012:export/daily-1",
            "columns": [{"name": name} for name in _COLUMNS[self.way.provider]],
            "dataFiles": [f"s3://bucket/{key}" for key in keys],
            "additionalOutputFiles": [],
        }
        yield _File(
            path=f"{_EXPORT}/metadata/{month}/{_EXPORT}-Manifest.json",
            content=json.dumps(document).encode(),
            at=at + timedelta(minutes=2),
        )

    def _overwritten(self, period: BillingPeriod) -> Iterator[Path]:
        """What Azure removes before it writes the next run of a month."""
        if self.way.overwrites:
            yield from self.folder.glob(f"{_EXPORT}/{period.first_day:%Y%m%d}-*")

    def _arrive(
        self,
        files: list[_File],
        before: Iterator[Path] | tuple[()],
        halfway: Callable[[datetime], None],
    ) -> datetime:
        tool = self.way.copied
        if tool is not None:
            files = self._in_order_of(tool, files)
        for path in before:
            shutil.rmtree(path)
        half = len(files) // 2
        for number, one in enumerate(files):
            if number == half:
                halfway(files[number - 1].at if number else one.at)
            target = self.folder / one.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(one.content)
            os.utime(target, (one.at.timestamp(),) * 2)
        return max(one.at for one in files)

    @staticmethod
    def _in_order_of(tool: str, files: list[_File]) -> list[_File]:
        """The files as a tool copies them an hour later: rclone by name, azcopy the last first."""
        ordered = sorted(files, key=lambda one: one.path, reverse=tool == "azcopy")
        if tool == "rclone, times kept":
            return ordered
        begun = max(one.at for one in files) + timedelta(hours=1)
        return [
            _File(path=one.path, content=one.content, at=begun + timedelta(minutes=2 * number))
            for number, one in enumerate(ordered)
        ]


def keep_days(folder: Path, days: int, now: datetime) -> int:
    """Deletes each file that is older than some days, as a rule of a bucket does."""
    oldest = (now - timedelta(days=days)).timestamp()
    deleted = 0
    for name in os.walk(folder):
        for file in name[2]:
            path = Path(name[0], file)
            if path.stat().st_mtime < oldest:
                path.unlink()
                deleted += 1
    return deleted
