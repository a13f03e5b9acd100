"""Small exports of AWS in each of their forms, as AWS lays them out; every charge has one cost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.periods import BillingPeriod

__all__ = ["ACCOUNT", "COSTS", "FORMS", "write_data_export", "write_every_form", "write_report"]

ACCOUNT = "123456789012"
MONTH = "2025-10"
COSTS = ("1.25", "0.1", "-0.000000000025")
FORMS = ("gzip", "zip", "parquet")
"""Of a legacy report; a Data Export has the first and the last of them."""
_HEADERS = {
    "bill_billing_period_start_date": "bill/BillingPeriodStartDate",
    "line_item_usage_start_date": "lineItem/UsageStartDate",
    "line_item_unblended_cost": "lineItem/UnblendedCost",
    "line_item_currency_code": "lineItem/CurrencyCode",
}


def write_every_form(bucket: Path) -> tuple[str, ...]:
    """An export in each of the six forms of AWS, each in a folder of its own; gives their names."""
    for form in FORMS:
        write_report(bucket, f"cur-{form}", form=form, account=f"legacy {form}")
    for form in ("parquet", "gzip"):
        write_data_export(bucket, f"cur2-{form}", form=form, account=f"{len(form):012d}")
    write_data_export(bucket, "focus", table="focus")
    return (*(f"cur-{form}" for form in FORMS), "cur2-parquet", "cur2-gzip", "focus")


def write_report(
    bucket: Path,
    name: str,
    *,
    form: str = "gzip",
    prefix: str = "reports",
    month: str = MONTH,
    account: str = ACCOUNT,
    costs: Sequence[str] = COSTS,
) -> Path:
    """A legacy report, whose runs overwrite each other; gives its manifest."""
    period = BillingPeriod.parse(month)
    span = f"{period.first_day:%Y%m%d}-{period.next.first_day:%Y%m%d}"
    below = f"{prefix}/{name}/{span}"
    ending = {"gzip": "csv.gz", "zip": "csv.zip", "parquet": "snappy.parquet"}[form]
    if form == "parquet":
        year, number = period.first_day.year, period.first_day.month
        below_data = f"{prefix}/{name}/{name}/year={year}/month={number}"
    else:
        below_data = below
    key = f"{below_data}/{name}-00001.{ending}"
    columns = _cur(period, costs)
    _write(bucket / key, form, columns, None if form == "parquet" else _HEADERS)
    manifest = {
        "assemblyId": f"run-of-{name}",
        "account": account,
        "compression": "Parquet" if form == "parquet" else form.upper(),
        "contentType": "Parquet" if form == "parquet" else "text/csv",
        "reportName": name,
        "billingPeriod": {
            "start": f"{period.first_day:%Y%m%dT000000.000Z}",
            "end": f"{period.next.first_day:%Y%m%dT000000.000Z}",
        },
        "columns": [
            {"category": header.partition("/")[0], "name": header.partition("/")[2], "type": kind}
            for header, kind in zip(
                _HEADERS.values(), ("DateTime", "DateTime", "BigDecimal", "String"), strict=True
            )
        ],
        "reportKeys": [key],
    }
    return _write_json(bucket / below / f"{name}-Manifest.json", manifest)


def write_data_export(
    bucket: Path,
    name: str,
    *,
    table: str = "cur",
    form: str = "parquet",
    prefix: str = "data-exports",
    month: str = MONTH,
    account: str = ACCOUNT,
    costs: Sequence[str] = COSTS,
    run: str = "",
) -> Path:
    """A month of a Data Export of CUR 2.0 or `focus`; gives its manifest.

    With `run`, the export keeps its runs, each in a folder of its own.
    """
    period = BillingPeriod.parse(month)
    columns = _cur2(period, costs) if table == "cur" else _focus(period, costs)
    partition = f"{'BILLING_PERIOD' if table == 'cur' else 'billing_period'}={month}"
    ending = "snappy.parquet" if form == "parquet" else "csv.gz"
    key = "/".join(
        [prefix, name, "data", partition, *([run] if run else []), f"{name}-00001.{ending}"]
    )
    _write(bucket / key, form, columns, None)
    kinds = {column: str(values.type) for column, values in columns.items()}
    manifest = {
        "executionId": run or f"run-of-{name}",
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{account}:export/{name}-1",
        "columns": [
            {"name": column, "type": "timestamp_milliseconds" if "[" in kind else kind}
            for column, kind in kinds.items()
        ],
        "dataFiles": [f"s3://bills/{key}"],
        "additionalOutputFiles": [],
    }
    home = bucket / prefix / name / "metadata" / partition
    return _write_json(home / f"{name}-Manifest.json", manifest)


def _cur(period: BillingPeriod, costs: Sequence[str]) -> dict[str, pa.Array]:
    return {
        "bill_billing_period_start_date": _starts(period, costs),
        "line_item_usage_start_date": _starts(period, costs),
        "line_item_unblended_cost": pa.array([float(cost) for cost in costs]),
        "line_item_currency_code": pa.array(["USD"] * len(costs)),
    }


def _cur2(period: BillingPeriod, costs: Sequence[str]) -> dict[str, pa.Array]:
    tags = [[("user_team", "blue")]] * len(costs)
    return {
        **_cur(period, costs),
        "resource_tags": pa.array(tags, pa.map_(pa.string(), pa.string())),
    }


def _focus(period: BillingPeriod, costs: Sequence[str]) -> dict[str, pa.Array]:
    amounts = pa.array([float(cost) for cost in costs])
    names = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    return {
        "BillingPeriodStart": _starts(period, costs),
        "ChargePeriodStart": _starts(period, costs),
        "BillingCurrency": pa.array(["USD"] * len(costs)),
        **dict.fromkeys(names, amounts),
        "x_ServiceCode": pa.array(["AmazonEC2"] * len(costs)),
    }


def _starts(period: BillingPeriod, costs: Sequence[str]) -> pa.Array:
    first = period.first_day
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return pa.array([start] * len(costs), pa.timestamp("ms", "UTC"))


def _write(
    path: Path, form: str, columns: Mapping[str, pa.Array], headers: Mapping[str, str] | None
) -> None:
    path.parent.mkdir(parents=True)
    if form == "parquet":
        pq.write_table(pa.table(dict(columns)), path, compression="snappy")
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([(headers or {}).get(name, name) for name in columns])
    cells = [[_cell(value) for value in values.to_pylist()] for values in columns.values()]
    writer.writerows(zip(*cells, strict=True))
    content = text.getvalue().encode()
    if form == "gzip":
        path.write_bytes(gzip.compress(content, mtime=0))
        return
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name.removesuffix(".zip"), content)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    return json.dumps(dict(value)) if isinstance(value, list) else str(value)


def _write_json(path: Path, document: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path
