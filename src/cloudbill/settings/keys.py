"""Every key of a section `[sources.<source>]`, with its default and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["KEYS", "Key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section `[sources.<source>]`; `default` is in words where it depends.

    `example` is the value as it is written in TOML.
    """

    name: str
    default: str | None
    example: str
    description: str


KEYS: Final = (
    Key(
        name="bucket",
        default=None,
        example='"my-billing-bucket"',
        description="Where the exports lie: a bucket name (then `gs://`), a URL (`gs://`, `s3://`, "
        "`az://`, `file://`), or a path, which starts with `/` or `.`.",
    ),
    Key(
        name="prefix",
        default="",
        example='"exports/azure"',
        description="The folder that the export's own folder lies in.",
    ),
    Key(
        name="export_name",
        default=None,
        example='"focus-daily"',
        description="The name of the export.",
    ),
    Key(
        name="table_name",
        default="by provider",
        example='"azure_focus_billing_data"',
        description="The table that is loaded. Every export has one of its own.",
    ),
    Key(
        name="project_id",
        default="none",
        example='"my-project"',
        description="The Google Cloud project. With it the warehouse is BigQuery, without it "
        "DuckDB.",
    ),
    Key(
        name="dataset",
        default="billing",
        example='"finops"',
        description="The BigQuery dataset, or the DuckDB schema. Created when missing.",
    ),
    Key(
        name="location",
        default="the dataset's",
        example='"EU"',
        description="Where BigQuery creates a missing dataset and runs its jobs, such as `EU`.",
    ),
    Key(
        name="database",
        default="cloudbill.duckdb",
        example='"bills.duckdb"',
        description="The DuckDB file.",
    ),
    Key(
        name="totals",
        default="true",
        example="false",
        description="Whether the cost columns of a loaded month are summed and reconciled. On "
        "BigQuery that scans those columns of the month.",
    ),
    Key(
        name="memory_limit",
        default="1GB",
        example='"4GB"',
        description="The memory that DuckDB may use while it loads, such as `512MB` or `4GB`.",
    ),
    Key(
        name="max_row_drop",
        default="0.5",
        example="0.2",
        description="The share of a month's rows that a newer run may lack, from 0 to 1; one that "
        "lacks more is held until `cloudbill accept`.",
    ),
    Key(
        name="parallel_loads",
        default="8",
        example="4",
        description="How many BigQuery load jobs run at once. DuckDB loads one month at a time.",
    ),
    Key(
        name="retry_for_s",
        default="240",
        example="600",
        description="How many seconds a call to a cloud is tried again that fails for now. One "
        "attempt may take a quarter of it; large files get more time, by their size.",
    ),
    Key(
        name="lock_timeout_s",
        default="60",
        example="300",
        description="How many seconds to wait for a DuckDB file that another process holds.",
    ),
    Key(
        name="cache",
        default="true",
        example="false",
        description="Whether what the manifests of a bucket said is kept in the user's cache "
        "folder, so that the next run does not read them again.",
    ),
)
