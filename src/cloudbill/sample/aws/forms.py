"""The forms in which AWS delivers a bill, by the names that `cloudbill sample` gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from cloudbill.sample.aws.columns import COST_COLUMNS, aws_columns
from cloudbill.sample.aws.cur2 import cur2_columns
from cloudbill.sample.aws.focus import COSTS, SOURCE, FocusVersion, focus_columns
from cloudbill.sample.aws.form_columns import (
    Column,
    athena_name,
    report_columns,
    select_query,
    sums_query,
)
from cloudbill.sample.aws.queries import TOTALS, rows_query

Table: TypeAlias = Literal["report", "cur2", "focus"]

__all__ = ["AwsForm", "FORMS", "Form", "Table", "read_forms"]


class AwsForm(StrEnum):
    """A form of the AWS bill."""

    CSV = "csv"
    """A legacy report as gzipped CSV."""
    ZIP = "zip"
    """A legacy report as CSV in ZIP archives."""
    PARQUET = "parquet"
    """A legacy report as Parquet."""
    ATHENA = "athena"
    """A legacy report for Athena: Parquet that is overwritten, and files for Athena."""
    CUR2_PARQUET = "cur2-parquet"
    CUR2_CSV = "cur2-csv"
    FOCUS_1_0 = "focus-1.0"
    FOCUS_1_0_CSV = "focus-1.0-csv"
    FOCUS_1_2 = "focus-1.2"
    FOCUS_1_2_CSV = "focus-1.2-csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the files of a form hold."""

    table: Table
    ending: str
    """The ending of the names of its parts."""
    report_name: str
    """The usual name of its report or export."""
    version: FocusVersion = "1.2"
    """Of FOCUS."""
    for_athena: bool = False
    """Whether it is laid out for Athena."""

    @property
    def is_data_export(self) -> bool:
        """Whether it is delivered as AWS delivers Data Exports."""
        return self.table != "report"

    @property
    def is_parquet(self) -> bool:
        """Whether its parts are Parquet."""
        return self.ending.endswith("parquet")

    @property
    def provider(self) -> str:
        """The provider that reads it."""
        return "aws_focus" if self.table == "focus" else "aws"

    @property
    def prefix(self) -> str:
        """The usual prefix in its bucket."""
        return "exports" if self.is_data_export else "cur"

    @property
    def cost_columns(self) -> Sequence[str]:
        """The columns that are added up, by their names in the files."""
        if self.table == "focus":
            return COSTS
        return COST_COLUMNS if self._is_report_in_csv else tuple(map(athena_name, COST_COLUMNS))

    def columns(self, months_before: int) -> tuple[Column, ...]:
        """The columns of any form but a report in CSV."""
        if self.table == "focus":
            return focus_columns(self.version, months_before)
        return (cur2_columns if self.table == "cur2" else report_columns)(months_before)

    def rows(self, months_before: int) -> tuple[str, str]:
        """The query for the rows, and the format in which `copy` writes them."""
        if self._is_report_in_csv:
            packed = "csv, own header" if self.ending == "csv.zip" else "csv.gz, own header"
            return rows_query(aws_columns(months_before)), packed
        written = "parquet" if self.is_parquet else "csv.gz"
        columns = self.columns(months_before)
        return select_query(columns, months_before, written, source=self._source), written

    def sums(self, months_before: int) -> str:
        """The query for the exact sums of the cost columns."""
        if self.table != "focus":
            return TOTALS
        columns = self.columns(months_before)
        return sums_query(columns, months_before, COSTS, source=self._source)

    @property
    def _is_report_in_csv(self) -> bool:
        return self.table == "report" and not self.is_parquet

    @property
    def _source(self) -> str:
        return SOURCE if self.table == "focus" else "line"


_PARQUET, _CSV = "snappy.parquet", "csv.gz"
FORMS: dict[AwsForm, Form] = {
    AwsForm.CSV: Form(table="report", ending=_CSV, report_name="cur-hourly"),
    AwsForm.ZIP: Form(table="report", ending="csv.zip", report_name="cur-zip"),
    AwsForm.PARQUET: Form(table="report", ending=_PARQUET, report_name="cur-parquet"),
    AwsForm.ATHENA: Form(
        table="report", ending=_PARQUET, report_name="cur-athena", for_athena=True
    ),
    AwsForm.CUR2_PARQUET: Form(table="cur2", ending=_PARQUET, report_name="cur2-parquet"),
    AwsForm.CUR2_CSV: Form(table="cur2", ending=_CSV, report_name="cur2-csv"),
    AwsForm.FOCUS_1_0: Form(table="focus", ending=_PARQUET, report_name="focus-1-0", version="1.0"),
    AwsForm.FOCUS_1_0_CSV: Form(
        table="focus", ending=_CSV, report_name="focus-1-0-csv", version="1.0"
    ),
    AwsForm.FOCUS_1_2: Form(table="focus", ending=_PARQUET, report_name="focus-1-2"),
    AwsForm.FOCUS_1_2_CSV: Form(table="focus", ending=_CSV, report_name="focus-1-2-csv"),
}
"""Every form."""


def read_forms(text: str) -> tuple[AwsForm, ...]:
    """The forms in a text, with commas between them.

    Raises:
        ValueError: If there is no form of a name.
    """
    names = [name.strip().lower() for name in text.split(",")]
    unknown = [name for name in names if name not in {*AwsForm}]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(AwsForm)}")
    return tuple(dict.fromkeys(map(AwsForm, names)))
