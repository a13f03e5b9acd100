"""A dataset of the emulated BigQuery, and short words to load into it and to ask of it."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

OCTOBER = dt.date(2025, 10, 1)
NOVEMBER = dt.date(2025, 11, 1)
FIELDS = [
    {"name": "month", "type": "DATE"},
    {"name": "cost", "type": "BIGNUMERIC", "description": "what it costs"},
    {"name": "service", "type": "STRING"},
]
CREATE = {"createDisposition": "CREATE_IF_NEEDED"}


class Bench:
    """A dataset with a table of months, and short words to load into it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = cloud.bigquery.client("bench")
        self.client.create_dataset("d")
        cloud.gcs.create_bucket("billing")
        self.create("t")

    def create(self, name: str, **properties: Any) -> dict[str, Any]:
        body = {
            "tableReference": {"projectId": "bench", "datasetId": "d", "tableId": name},
            "schema": {"fields": FIELDS},
            "timePartitioning": {"type": "MONTH", "field": "month"},
            "clustering": {"fields": ["service"]},
            **properties,
        }
        return self.call("POST", "/projects/bench/datasets/d/tables", body)

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return cast(
            "dict[str, Any]",
            self.client._connection.api_request(method=method, path=path, data=body),  # noqa: SLF001
        )

    def parquet(self, name: str, **columns: Any) -> str:
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return self.put(name, sink.getvalue())

    def month(self, name: str, *months: dt.date | None, cost: str = "1.5") -> str:
        """A file with one row in each of these months."""
        costs = pa.array([Decimal(cost)] * len(months), pa.decimal128(38, 18))
        services = pa.array(["vm"] * len(months), pa.string())
        return self.parquet(name, month=pa.array(months, pa.date32()), cost=costs, service=services)

    def put(self, name: str, data: bytes) -> str:
        self.cloud.gcs.put("billing", name, data)
        return f"gs://billing/{name}"

    def job(self, kind: str, job_id: str | None = None, **config: Any) -> dict[str, Any]:
        """Insert a job, and give it back as it ended."""
        body: dict[str, Any] = {"configuration": {kind: config}}
        if job_id:
            body["jobReference"] = {"projectId": "bench", "jobId": job_id}
        return self.call("POST", "/projects/bench/jobs", body)

    def load(
        self, *uris: str, into: str = "t", job_id: str | None = None, **config: Any
    ) -> dict[str, Any]:
        """Load as the project does: replace a partition by Parquet files."""
        return self.job(
            "load",
            job_id,
            **{
                "destinationTable": table(into),
                "sourceUris": uris,
                "sourceFormat": "PARQUET",
                "writeDisposition": "WRITE_TRUNCATE",
                "createDisposition": "CREATE_NEVER",
                "decimalTargetTypes": ["BIGNUMERIC"],
                **config,
            },
        )

    def csv(self, text: str | bytes, *, into: str = "t", **config: Any) -> dict[str, Any]:
        """Append a CSV file with a header."""
        data = text if isinstance(text, bytes) else text.encode()
        options: dict[str, Any] = {
            "sourceFormat": "CSV",
            "writeDisposition": "WRITE_APPEND",
            "skipLeadingRows": 1,
            "decimalTargetTypes": None,
            **config,
        }
        return self.load(self.put("rows.csv", data), into=into, **options)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.client.query(sql).result()]

    def counts(self, name: str = "t") -> dict[str, int]:
        """Rows of each partition."""
        return dict(
            self.rows(
                "SELECT partition_id, total_rows FROM d.INFORMATION_SCHEMA.PARTITIONS "  # noqa: S608
                f"WHERE table_name = '{name}'"
            )
        )

    def modified(self) -> dict[str, dt.datetime]:
        """When each partition was last written."""
        return dict(
            self.rows(
                "SELECT partition_id, last_modified_time FROM d.INFORMATION_SCHEMA.PARTITIONS "
                "WHERE table_name = 't'"
            )
        )

    def costs(self) -> list[Decimal | None]:
        return [row[0] for row in self.rows("SELECT cost FROM d.t ORDER BY cost")]


def table(name: str) -> dict[str, str]:
    return {"projectId": "bench", "datasetId": "d", "tableId": name}


def error(job: dict[str, Any]) -> tuple[str, str]:
    result = job["status"]["errorResult"]
    return result["reason"], result["message"]


def succeeded(job: dict[str, Any]) -> bool:
    return bool(job["status"] == {"state": "DONE"})


def http_error(code: int) -> pytest.RaisesExc[Any]:
    return pytest.raises(api_error(), match=f"^{code} ")


def api_error() -> type[Exception]:
    from google.api_core.exceptions import GoogleAPICallError

    return GoogleAPICallError
