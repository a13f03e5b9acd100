"""Every key of a section `[sources.<source>]`: one row says everything about a key.

The settings, the tables in the documentation, the options of `cloudbill init` and the messages
come from these rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloudbill.providers import Provider
from cloudbill.settings.destinations import read_destinations
from cloudbill.settings.values import (
    STORAGE_VERSION,
    read_amount,
    read_bytes_billed,
    read_count,
    read_days,
    read_duration,
    read_file,
    read_flag,
    read_folder,
    read_memory,
    read_scope,
    read_seconds,
    read_share,
    read_storage_version,
    read_table_name,
    read_text,
)

__all__ = ["KEYS", "Key", "key_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a section `[sources.<source>]`.

    `read` is a reader of `values`, and its return type is the type of the key. `default` is text
    as in an environment variable; if the provider decides, `default_of` gives it. None means that
    there is no value, and `default_words` then says what that means. `example` is TOML, and
    `description` is Markdown.
    """

    name: str
    read: Callable[[object], object]
    default: str | None = None
    default_of: Callable[[Provider], str] | None = None
    default_words: str | None = None
    is_required: bool = False
    is_secret: bool = False
    """Whether a value must not be shown."""
    example: str
    description: str

    def default_for(self, provider: Provider) -> object:
        """The value if nothing is configured."""
        text = self.default if self.default_of is None else self.default_of(provider)
        return None if text is None else self.read(text)

    @property
    def shown_default(self) -> str:
        """The default as Markdown: a value as code, anything else in words."""
        if self.is_required:
            return "required"
        return self.default_words or f"`{self.default}`"

    @property
    def help(self) -> str:
        """The description for a terminal."""
        return self.description.replace("`", "")

    @property
    def title(self) -> str:
        """The first sentence of the help, without its full stop."""
        return self.help.partition(". ")[0].removesuffix(".")


def key_named(name: str) -> Key:
    """The row of a key.

    Raises:
        KeyError: If there is no such key.
    """
    return {key.name: key for key in KEYS}[name]


KEYS: Final[tuple[Key, ...]] = (
    Key(
        name="bucket",
        read=read_text,
        is_required=True,
        example='"my-billing-bucket"',
        description="Where the exports are: a bucket name (then `gs://`), a URL (`gs://`, `s3://`, "
        "`az://`, `file://`), or a path, which starts with `./`, `/` or `~/`, on Windows also with "
        "a drive, such as `C:/`.",
    ),
    Key(
        name="prefix",
        read=read_folder,
        default="",
        default_words="none",
        example='"exports/azure"',
        description="The folder that contains the export's folder.",
    ),
    Key(
        name="export_name",
        read=read_text,
        is_required=True,
        example='"focus-daily"',
        description="The name of the export.",
    ),
    Key(
        name="scope",
        read=read_scope,
        default_words="any",
        example='"subscriptions/0a1b2c3d-0000-4000-8000-000000000001"',
        description="Where exports of several subscriptions or accounts share a folder and a name: "
        "the one whose runs are loaded, as its manifests name it. A run that names none is loaded, "
        "too.",
    ),
    Key(
        name="table_name",
        read=read_table_name,
        default_of=lambda provider: provider.DEFAULT_TABLE,
        default_words="by provider",
        example='"azure_focus_billing_data"',
        description="The table that is loaded. Every export needs its own.",
    ),
    Key(
        name="project_id",
        read=read_text,
        default_words="none",
        example='"my-project"',
        description="The Google Cloud project. With it the warehouse is BigQuery, without it "
        "DuckDB.",
    ),
    Key(
        name="dataset",
        read=read_text,
        default="billing",
        example='"finops"',
        description="The BigQuery dataset, or the DuckDB schema. Created if it is missing.",
    ),
    Key(
        name="location",
        read=read_text,
        default_words="the dataset's location",
        example='"EU"',
        description="Where BigQuery creates a missing dataset and runs its jobs, such as `EU`.",
    ),
    Key(
        name="database",
        read=read_file,
        default="cloudbill.duckdb",
        example='"bills.duckdb"',
        description="The DuckDB file. DuckDB cannot take a `?` or a `\\` in its path.",
    ),
    Key(
        name="storage_version",
        read=read_storage_version,
        default=STORAGE_VERSION,
        example='"v1.2.0"',
        description="The oldest DuckDB that shall read the file; it counts when the file is made. "
        "`v1.2.0` and `v1.0.0` are for older programs, and then a load takes about half more time "
        "and the file 13 % more space; `latest` is for the DuckDB of cloudbill and newer ones.",
    ),
    Key(
        name="totals",
        read=read_flag,
        default="true",
        example="false",
        description="Whether the cost columns of a loaded month are summed and reconciled. On "
        "BigQuery this scans those columns of the month.",
    ),
    Key(
        name="memory_limit",
        read=read_memory,
        default="1GB",
        example='"4GB"',
        description="The memory that DuckDB may use while it loads, such as `512MB` or `4GB`.",
    ),
    Key(
        name="max_row_drop",
        read=read_share,
        default="0.5",
        example="0.2",
        description="The share of a month's rows that may be missing from a newer run, from 0 to "
        "1. A run that lacks more is held until `cloudbill accept`.",
    ),
    Key(
        name="max_wait",
        read=read_duration,
        default="1d",
        example='"6h"',
        description="How long a run may lack a part before that is an alarm (exit code 8), such as "
        "`90m`, `36h` or `2d`. The time begins when the last of its files came.",
    ),
    Key(
        name="max_age",
        read=read_duration,
        default_words="any age",
        example='"36h"',
        description="How old the newest delivery may be before `cloudbill status --check` ends "
        "with 8 and the report says so, such as `36h` or `3d`. Without it, 35 days are old to the "
        "report.",
    ),
    Key(
        name="notify",
        read=read_destinations,
        default="",
        default_words="nobody",
        is_secret=True,
        example='["https://alerts.example.com/bills", "command:/usr/local/bin/page --team finops"]',
        description="Who is told what a person should look at: one destination or a list. A URL "
        "(`https://`) gets one JSON document, a program after `command:` gets it as its input, and "
        "the library apprise takes any other URL, such as `slack://`. The addresses are secrets, "
        "so they belong into `.dlt/secrets.toml` or a variable.",
    ),
    Key(
        name="max_cost_drop",
        read=read_share,
        default="0.9",
        example="0.5",
        description="The share of a month's billed cost that a newer run may lack, from 0 to 1, "
        "apart from credits; one that lacks more is held until `cloudbill accept`. 1 holds none.",
    ),
    Key(
        name="cost_trifle",
        read=read_amount,
        default="1",
        example="100",
        description="The billed cost of a month, in its own currency, up to which `max_cost_drop` "
        "does not apply.",
    ),
    Key(
        name="parallel_loads",
        read=read_count,
        default="8",
        example="4",
        description="How many BigQuery load jobs run at once. DuckDB loads one month at a time.",
    ),
    Key(
        name="partition_expiration_days",
        read=read_days,
        default_words="never",
        example="400",
        description="After how many days from the end of a month BigQuery deletes the month from a "
        "table that cloudbill makes; older months are not loaded. BigQuery only.",
    ),
    Key(
        name="maximum_bytes_billed",
        read=read_bytes_billed,
        default_words="no limit",
        example="10_000_000_000",
        description="How many bytes a query may bill; one that would bill more fails and costs "
        "nothing. A month whose totals would is loaded without them. BigQuery only.",
    ),
    Key(
        name="retry_for_s",
        read=read_seconds,
        default="240",
        example="600",
        description="How many seconds a failing call to a cloud is tried again. One attempt may "
        "take a quarter of that; large files get more time, by their size.",
    ),
    Key(
        name="lock_timeout_s",
        read=read_seconds,
        default="60",
        example="300",
        description="How many seconds to wait for a DuckDB file that another process has locked.",
    ),
    Key(
        name="in_focus",
        read=read_flag,
        default="true",
        example="false",
        description="`false` leaves a source out of the views `focus` and `focus_1_4`, and says "
        "that another one has the same charges, and is the one to sum. Then no command names the "
        "two any more, but the page of `report` does.",
    ),
    Key(
        name="focus",
        read=read_flag,
        default="true",
        example="false",
        description="Whether `load` keeps the views `focus`, `focus_1_4` and `focus_faults` of the "
        "dataset. One source that says `false` switches it off for all of its dataset.",
    ),
    Key(
        name="cache",
        read=read_flag,
        default="true",
        example="false",
        description="Whether the manifests of a bucket, and a note of how the last load left a "
        "DuckDB file, are cached in the user's cache folder, so that the next command does not "
        "read them again.",
    ),
)
