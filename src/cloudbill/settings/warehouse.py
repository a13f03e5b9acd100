"""The settings of a source that its warehouse needs, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cloudbill.providers import Provider

__all__ = ["WarehouseSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseSettings:
    """Where the tables of a source are, and how they are written.

    `project_id` is None if the warehouse is DuckDB; `source` is for labels of jobs and for errors.
    """

    source: str
    provider: Provider
    project_id: str | None
    dataset: str
    location: str | None
    database: Path
    storage_version: str
    table_name: str
    totals: bool
    cache: bool
    memory_limit: str
    parallel_loads: int
    lock_timeout_s: float
    retry_for_s: float
    partition_expiration_days: int | None
    maximum_bytes_billed: int | None
