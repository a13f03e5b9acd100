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
_AZURE: Final = "a month of Azure into DuckDB, whole process minus the no-op run"
_AWS: Final = "a month of AWS, csv.gz, into DuckDB, whole process minus the no-op run"
_EXPORT: Final = (
    "a month of AWS into DuckDB, whole process minus the no-op run, every cost total compared: an "
    "export"
)
_AS_IT_IS: Final = "the best DuckDB script that stores doubles and maps as they are"
_TYPED: Final = "a DuckDB script with a typed `read_csv`"
_VIEW: Final = (
    "the effective cost of a month by category of service from the view `focus`, planning not "
    "counted: a month"
)
_SAME: Final = "the same query of the table"
_PROCESS: Final = "the process's peak"
_AWS_LIMIT: Final = (
    "For a million rows, in CPU seconds: unzipping takes 0.6, reading everything once for the "
    "rows and totals of the parts 2.3, the INSERT 10.9, the ledger 0.2; the script takes 12.9. "
    "DuckDB needs 1.9 only to find the cells, up to 5 to make text and numbers of them, and the "
    "rest to write the table; the script needs all three as well. Tried: ISA-L instead of zlib (a "
    "quarter of its time, kept), types in `read_csv` instead of conversions in SQL (equal, and "
    "inexact), buffers of 1 and 4 MB (slower), tables without FSST, without ZSTD, with "
    "dictionaries alone or not packed at all (equal in time, about 14 times as large), other row "
    "groups and storage versions (equal or slower), cheaper tests of a number than a regular "
    "expression (none was). DuckDB 2.0 reads one gzipped file with all cores, so that cannot make "
    "it faster either. As long as DuckDB reads the text and writes the table the limit is about "
    "0.9 without any comparison, and the rest is the price of comparing totals with the parts, "
    "which the script does not."
)


def _memory(what: str) -> Target:
    return Target(
        work=f"memory for {what}",
        against=_PROCESS,
        sign="<=",
        bound=1.2 * 1000**3,
        unit="bytes",
    )


TARGETS: Final[dict[str, Target]] = {
    "azure_duckdb.totals_off": Target(
        work=f"{_AZURE}, `totals = false`",
        against=_FLOOR,
        sign="<=",
        bound=1.10,
        note="The profile shows two things: DuckDB's INSERT, which the script has as well, and the "
        "ledger, which dlt writes in some 0.2 s whatever the size: a twentieth of a month of a "
        "million rows, a hundredth of one of five millions. To write dlt's tables without dlt "
        "would save it, and is not done: they would be dlt's no more.",
    ),
    "azure_duckdb.totals_on": Target(
        work=f"{_AZURE}, every cost total compared", against=_FLOOR, sign="<=", bound=1.25
    ),
    "doubles_duckdb.totals_on": Target(
        work="a month of Azure whose 16 columns of amounts are doubles, into DuckDB, whole process "
        "minus the no-op run, every cost total compared",
        against="a DuckDB script that makes decimals of the doubles by their text",
        sign="<=",
        bound=1.25,
        note="For a million doubles of one column, on two cores: by text 0.1 s, or 0.3 s where "
        "they have 17 digits; by whole numbers, which do where a double has at most 15 digits, "
        "0.02 s. The rest of the time is the INSERT, and the comparison of the totals with the "
        "parts, which the script does not make.",
    ),
    "azure_duckdb.peak_memory": _memory("a month of Azure into DuckDB, as it is by default"),
    "aws_duckdb.one_part": Target(
        work=f"{_AWS}, in one part",
        against=_TYPED,
        sign="<=",
        bound=0.9,
        note=_AWS_LIMIT,
    ),
    "aws_duckdb.two_parts": Target(
        work=f"{_AWS}, in two parts",
        against=_TYPED,
        sign="<=",
        bound=0.9,
        note=_AWS_LIMIT,
    ),
    "aws_forms_duckdb.cur2-parquet": Target(
        work=f"{_EXPORT} of CUR 2.0, Parquet", against=_AS_IT_IS, sign="<=", bound=2.0
    ),
    "aws_forms_duckdb.focus-1.2": Target(
        work=f"{_EXPORT} of FOCUS 1.2, Parquet", against=_AS_IT_IS, sign="<=", bound=2.0
    ),
    "aws_forms_duckdb.cur2-csv": Target(
        work=f"{_EXPORT} of CUR 2.0, csv.gz",
        against=_AS_IT_IS,
        sign="<=",
        bound=1.15,
        note="For a million rows, in CPU seconds on a busy machine: reading everything once for "
        "the rows and totals of the parts takes 5 to 6, the INSERT 18 to 20, in which objects "
        "took 18 more before those that many rows have were spelt once; the script takes 16 to 17. "
        "A list of all objects instead of those in a sample of the rows would take 2 more, for "
        "their texts have to be read once more. For a million texts of numbers, a pattern of GLOB "
        "takes 0.14 s, the regular expression 0.08 s and the cast to a decimal 0.06 s.",
    ),
    "aws_forms_duckdb.cur2-parquet.peak_memory": _memory(
        "a month of CUR 2.0, Parquet, into DuckDB"
    ),
    "aws_forms_duckdb.focus-1.2.peak_memory": _memory(
        "a month of FOCUS 1.2 of AWS, Parquet, into DuckDB"
    ),
    "aws_forms_duckdb.cur2-csv.peak_memory": _memory("a month of CUR 2.0, csv.gz, into DuckDB"),
    "focus_view.azure": Target(work=f"{_VIEW} of Azure", against=_SAME, sign="<=", bound=1.2),
    "focus_view.aws_focus": Target(
        work=f"{_VIEW} of FOCUS of AWS", against=_SAME, sign="<=", bound=1.2
    ),
    "focus_view.aws_report": Target(
        work=f"{_VIEW} of a report of AWS",
        against="the same of the table, by product code, with the rule of the effective cost "
        "written out",
        sign="<=",
        bound=2.0,
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
        note="dlt ends in the same INSERT of DuckDB, after it has written the rows to files. Less "
        "the ledger, which is some 0.2 s of cloudbill's time, it would be more.",
    ),
    "no_op.time": Target(
        work="a run that finds nothing new, 36 months of 30 runs known",
        against="a bare dlt pipeline run that does nothing",
        sign="<=",
        bound=1.3,
        note="Both import dlt, which is most of either. On top come 1,080 runs that are listed and "
        "whose manifests are read and compared (0.15 s; none is read twice where the store tells "
        "versions, see below), Typer and the pydantic that it imports (0.1 s), and cloudbill's own "
        "modules (0.07 s).",
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
        note="One INSERT takes the parts as they come. What is left cannot overlap: the first part "
        "until it is here, the last part after all others, the totals, the commit and the ledger, "
        "which depends on the size of a part, not on that of the month: about a second here. And "
        "DuckDB alone keeps both cores of this machine busy, which it shares with the download, "
        "the store and the line: these take 1.2 CPU seconds for a million rows, which add a tenth "
        "to whatever the size. Tried: an INSERT for each few parts as they come, which leaves row "
        "groups that are not full, so that DuckDB writes them again when it closes the file (2.6 "
        "at a million rows); one after the other (2.0).",
    ),
    "bigquery.jobs_in_flight": Target(
        work="load jobs in flight, backfill of 36 months",
        against="one after the other",
        sign=">=",
        bound=8,
        unit="jobs",
    ),
    "bigquery.data_bytes": Target(
        work="bytes of parts that pass through the client, beyond their last 128 kB",
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
