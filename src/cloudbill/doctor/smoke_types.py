"""What BigQuery reads from Parquet where a load converts it: doubles, maps, times of no zone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from cloudbill.doctor.smoke_exports import MONTHS, PARQUET
from cloudbill.doctor.smoke_point import Seen
from cloudbill.doctor.smoke_probes import answer
from cloudbill.doctor.smoke_trial import result_of
from cloudbill.manifests import Column, ColumnType
from cloudbill.periods import utc_now
from cloudbill.warehouses.bigquery.dataset import Dataset
from cloudbill.warehouses.bigquery.incoming import Incoming
from cloudbill.warehouses.bigquery.raw_staging import RAW_OPTIONS, RawStaging
from cloudbill.warehouses.bigquery.tables import fields_of

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_trial import Trial

__all__ = ["parquet_types"]

_TABLE: Final = "probe_types"
_NOON: Final = datetime(2025, 1, 1, 12, tzinfo=UTC)
# A sum of two doubles, one of 17 digits, one of many before the point, and the least that is kept.
_AMOUNTS: Final = {
    0.1 + 0.2: Decimal("0.30000000000000004"),
    -1234567.891: Decimal("-1234567.891"),
    123456789012.34567: Decimal("123456789012.34567"),
    1e-18: Decimal("0.000000000000000001"),
}
_COLUMNS: Final = tuple(
    Column(name=name, target=name, type=kind)
    for name, kind in {
        "double": ColumnType.DECIMAL,
        "map": ColumnType.JSON,
        "number_map": ColumnType.JSON,
        "time_of_no_zone": ColumnType.TIMESTAMP,
        "time_in_utc": ColumnType.TIMESTAMP,
    }.items()
)


def parquet_types(trial: Trial) -> Iterator[Seen]:
    """6: the types of what a FOCUS file of AWS has, and what the statement of a load makes of them.

    The table of raw values, its job and the statement are those of a load.
    """
    wanted = bigquery.Table(trial.reference(_TABLE), schema=fields_of(_COLUMNS))
    wanted.expires = utc_now() + timedelta(days=1)
    exact = trial.client.create_table(wanted)
    settings = trial.settings(PARQUET).warehouse
    staging = RawStaging(trial.client, Dataset(trial.client, settings), exact)
    staging.create(is_native=True)
    uri = trial.folder.put("probes/types.parquet", _file())
    options = {name: value for name, value in RAW_OPTIONS.items() if "disposition" not in name}
    job = trial.plain_load(f"{_TABLE}_raw", uri, **options)
    yield Seen(
        text=f"Parquet into a table without columns: {answer(job)}",
        is_expected=job.error_result is None,
    )
    is_kept = trial.client.get_table(staging.reference).expires is not None
    yield Seen(
        text=f"the time at which the table expires is {'kept' if is_kept else 'gone'}",
        is_expected=None,
    )
    raw = staging.filled()
    kinds = {str(field.name): str(field.field_type) for field in raw.schema}
    told = ", ".join(f"{one.name} is {kinds.get(one.name)}" for one in _COLUMNS)
    yield Seen(text=told, is_expected=kinds.get("double") == "FLOAT")
    planned = result_of(trial.load_once(PARQUET), MONTHS[-1]).planned
    staging.convert(planned, _incoming(), raw)
    yield from _converted(trial, exact)


def _converted(trial: Trial, exact: bigquery.Table) -> Iterator[Seen]:
    """What the statement wrote; to list rows bills nothing."""
    rows: list[Any] = list(trial.client.list_rows(exact))
    amounts = sorted(row["double"] for row in rows)
    yield Seen(
        text=f"amounts: {', '.join(f'{one.normalize():f}' for one in amounts)}",
        is_expected=amounts == sorted(_AMOUNTS.values()),
    )
    kinds = {str(field.name): str(field.field_type) for field in exact.schema}
    for name, value in (("map", {"a": "2", "b": "1"}), ("number_map", {"a": 0.1, "b": None})):
        found = [row[name] for row in rows]
        yield Seen(
            text=f"{name}: {kinds[name]} {found[0] if found else None}",
            is_expected=found == [value] * len(_AMOUNTS),
        )
    moments = {row[name] for row in rows for name in ("time_of_no_zone", "time_in_utc")}
    yield Seen(
        text=f"times: {', '.join(sorted(map(str, moments)))}", is_expected=moments == {_NOON}
    )


def _incoming() -> Incoming:
    """The run of the one file, as a load knows it from its footer."""
    return Incoming(
        columns=_COLUMNS,
        part_columns=(_COLUMNS,),
        footers=(),
        rows=len(_AMOUNTS),
        is_native=True,
        doubles=frozenset({"double"}),
        maps=frozenset({"map", "number_map"}),
        number_maps=frozenset({"number_map"}),
        is_guarded=False,
        has_several_months=False,
        required=frozenset(),
    )


def _file() -> bytes:
    times = len(_AMOUNTS)
    texts, numbers = pa.map_(pa.string(), pa.string()), pa.map_(pa.string(), pa.float64())
    columns = {
        "double": pa.array(list(_AMOUNTS)),
        "map": pa.array([[("b", "1"), ("a", "2")]] * times, texts),
        "number_map": pa.array([[("b", None), ("a", 0.1)]] * times, numbers),
        "time_of_no_zone": pa.array([_NOON.replace(tzinfo=None)] * times, pa.timestamp("us")),
        "time_in_utc": pa.array([_NOON] * times, pa.timestamp("us", tz="UTC")),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()
