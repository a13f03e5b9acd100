"""What BigQuery reads from Parquet where a load converts it: doubles, maps, times of no zone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from cloudbill.doctor.smoke_point import Seen
from cloudbill.doctor.smoke_probes import answer
from cloudbill.periods import utc_now
from cloudbill.warehouses.bigquery.conversion import double_value, map_value, time_value
from cloudbill.warehouses.bigquery.raw_staging import RAW_OPTIONS

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_trial import Trial

__all__ = ["parquet_types"]

_TABLE: Final = "probe_types"
_NOON: Final = datetime(2025, 1, 1, 12, tzinfo=UTC)
_DOUBLE: Final = 0.1 + 0.2
_EXACT: Final = (Decimal("0.30000000000000004"), '{"a":"2","b":"1"}', _NOON)


def parquet_types(trial: Trial) -> Iterator[Seen]:
    """6: the types of doubles, maps and times, and what the conversion of a load makes of them.

    The table is made without columns and gets those of the file, as the table of raw values does.
    """
    wanted = bigquery.Table(trial.reference(_TABLE))
    wanted.expires = utc_now() + timedelta(days=1)
    trial.client.create_table(wanted)
    uri = trial.folder.put("probes/types.parquet", _file())
    options = {name: value for name, value in RAW_OPTIONS.items() if "disposition" not in name}
    job = trial.plain_load(_TABLE, uri, **options)
    yield Seen(
        text=f"Parquet into a table without columns: {answer(job)}",
        is_expected=job.error_result is None,
    )
    table = trial.client.get_table(wanted.reference)
    kept = "kept" if table.expires is not None else "gone"
    yield Seen(text=f"the time at which the table expires is {kept}", is_expected=None)
    kinds = {str(field.name): str(field.field_type) for field in table.schema}
    told = ", ".join(f"{name} is {kinds.get(name)}" for name in _columns())
    yield Seen(text=told, is_expected=kinds.get("double") == "FLOAT")
    rows = trial.ask(
        "exact",
        table=trial.path(_TABLE),
        table_name="double",
        double=double_value("double", "table"),
        map=map_value("map"),
        time=time_value("time_of_no_zone", is_in_utc=kinds.get("time_of_no_zone") == "TIMESTAMP"),
    )
    found = tuple(rows[0].values())[:3]
    yield Seen(
        text=f"converted: {', '.join(map(str, found))}",
        is_expected=found == _EXACT,
    )


def _columns() -> dict[str, pa.Array]:
    moment = _NOON.replace(tzinfo=None)
    return {
        "double": pa.array([_DOUBLE]),
        "map": pa.array([[("b", "1"), ("a", "2")]], pa.map_(pa.string(), pa.string())),
        "time_of_no_zone": pa.array([moment], pa.timestamp("us")),
        "time_in_utc": pa.array([_NOON], pa.timestamp("us", tz="UTC")),
    }


def _file() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(_columns()), file)
    return file.getvalue()
