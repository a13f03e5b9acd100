"""What each figure should be: the one table that the output and the page compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["TARGETS", "Target"]

_MB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A bound for a figure; `work` and `against` are what the page calls the two sides."""

    work: str
    against: str
    sign: Literal["<=", ">="]
    bound: float
    unit: Literal["x", "bytes", "requests", "jobs"] = "x"
    note: str = ""
    """What the page says where it is not met: what was tried, and what the limit is."""

    def is_met(self, value: float) -> bool:
        """Whether a value keeps the bound."""
        return value <= self.bound if self.sign == "<=" else value >= self.bound


_FLOOR: Final = "the best DuckDB script for the same replacement"
_AZURE: Final = "a month of Azure into DuckDB, whole process less the no-op run"
_PROCESS: Final = "the process's peak"

TARGETS: Final[dict[str, Target]] = {
    "azure_duckdb.totals_off": Target(
        work=f"{_AZURE}, `totals = false`", against=_FLOOR, sign="<=", bound=1.10
    ),
    "azure_duckdb.totals_on": Target(
        work=f"{_AZURE}, every cost total compared", against=_FLOOR, sign="<=", bound=1.25
    ),
    "azure_duckdb.peak_memory": Target(
        work="memory for a month of Azure into DuckDB, as it is by default",
        against=_PROCESS,
        sign="<=",
        bound=1.2 * 1000**3,
        unit="bytes",
    ),
    "aws_duckdb.time": Target(
        work="a month of AWS, csv.gz, into DuckDB, whole process less the no-op run",
        against="a DuckDB script with a typed `read_csv`",
        sign="<=",
        bound=0.9,
    ),
    "peers.dlt_default": Target(
        work="a month of Azure into DuckDB, times faster than the peer",
        against="dlt's filesystem source and `read_parquet`, as documented",
        sign=">=",
        bound=50,
    ),
    "peers.dlt_arrow": Target(
        work="a month of Azure into DuckDB, times faster than the peer",
        against="dlt with Arrow batches",
        sign=">=",
        bound=3,
    ),
    "no_op.time": Target(
        work="a run that finds nothing new, 36 months of 30 runs known",
        against="a bare dlt pipeline run that does nothing",
        sign="<=",
        bound=1.3,
    ),
    "no_op.manifests_read_again": Target(
        work="manifests that a second run reads",
        against="those that it has read before",
        sign="<=",
        bound=0,
        unit="requests",
    ),
    "listing.requests_over_pages": Target(
        work="requests to list an export on `gs://`, beyond its pages",
        against="one pass over the pages",
        sign="<=",
        bound=0,
        unit="requests",
    ),
    "listing.concurrent_reads": Target(
        work="manifests that are read at one time",
        against="one after the other",
        sign=">=",
        bound=8,
        unit="requests",
    ),
    "remote.time": Target(
        work="a month of Azure from a store over a network into DuckDB",
        against="the slower of its download and its load",
        sign="<=",
        bound=1.15,
    ),
    "bigquery.jobs_in_flight": Target(
        work="load jobs in flight, backfill of 36 months",
        against="one after the other",
        sign=">=",
        bound=8,
        unit="jobs",
    ),
    "bigquery.data_bytes": Target(
        work="bytes of parts that pass through the client, beyond their last 128 KB",
        against="none",
        sign="<=",
        bound=0,
        unit="bytes",
    ),
    "bigquery.footer_bytes": Target(
        work="bytes that are read of one part, the most of any",
        against="its footer",
        sign="<=",
        bound=_MB / 8,
        unit="bytes",
    ),
    "memory.growth": Target(
        work="peak memory of a month with several times the rows",
        against="that of the smaller month",
        sign="<=",
        bound=1.10,
    ),
    "startup.help": Target(
        work="`cloudbill --help`",
        against="`import typer`",
        sign="<=",
        bound=1.3,
    ),
}
"""By figure. A figure without a target is told for what it is."""
