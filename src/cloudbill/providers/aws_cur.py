"""AWS Cost and Usage Reports (legacy CUR): where their manifests are, and how they are read.

Sources: AWS, "Cost and Usage Reports User Guide" (folder layout, versions of a report, the
manifest, Athena names); delivered and copied reports.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cloudbill.manifests import Column, ColumnType, Manifest, Part, StoredObject
from cloudbill.periods import BillingPeriod
from cloudbill.providers import datasets
from cloudbill.providers.cur_columns import DOCUMENTED_TYPES, athena_name
from cloudbill.providers.json_object import JsonObject
from cloudbill.providers.roles import CostCase, CostKind, CostRule, Roles

__all__ = [
    "BILLED_COLUMN",
    "CLUSTER_COLUMN",
    "COST_COLUMNS",
    "CURRENCY_COLUMN",
    "DATASET",
    "DEFAULT_TABLE",
    "HOW_TO_EXPORT",
    "HOW_TO_GET_MANIFESTS",
    "NAME",
    "PERIOD_COLUMN",
    "ROLES",
    "SECTION",
    "TITLE",
    "column_name",
    "column_type",
    "export_of",
    "export_roots",
    "is_amount",
    "is_manifest",
    "is_month_folder",
    "manifest_name",
    "read_manifest",
]

NAME: Final = "aws"
TITLE: Final = "AWS billing"
SECTION: Final = "aws_billing"
DATASET: Final = datasets.CUR
HOW_TO_EXPORT: Final = (
    "create a 'Legacy CUR export' with the compression type GZIP under 'Data Exports' in AWS"
)
HOW_TO_GET_MANIFESTS: Final = (
    "AWS writes one with each run, in the folder of the month. If a job copies the files, let it "
    "copy the manifests as well"
)
DEFAULT_TABLE: Final = "aws_cur_billing_data"
PERIOD_COLUMN: Final = "bill_billing_period_start_date"
CLUSTER_COLUMN: Final = "line_item_usage_start_date"
CURRENCY_COLUMN: Final = "line_item_currency_code"
BILLED_COLUMN: Final = "line_item_unblended_cost"
COST_COLUMNS: Final = (
    "line_item_unblended_cost",
    "line_item_blended_cost",
    "pricing_public_on_demand_cost",
    "reservation_effective_cost",
    "savings_plan_savings_plan_effective_cost",
)
ROLES: Final = Roles(
    costs={
        CostKind.BILLED: CostRule(otherwise=BILLED_COLUMN),
        CostKind.EFFECTIVE: CostRule(
            otherwise="line_item_unblended_cost",
            type_column="line_item_line_item_type",
            cases=(
                CostCase(
                    type="SavingsPlanCoveredUsage",
                    plus=("savings_plan_savings_plan_effective_cost",),
                ),
                CostCase(
                    type="SavingsPlanRecurringFee",
                    plus=("savings_plan_total_commitment_to_date",),
                    minus=("savings_plan_used_commitment",),
                ),
                CostCase(type="SavingsPlanNegation"),
                CostCase(type="SavingsPlanUpfrontFee"),
                CostCase(type="DiscountedUsage", plus=("reservation_effective_cost",)),
                CostCase(
                    type="RIFee",
                    plus=(
                        "reservation_unused_amortized_upfront_fee_for_billing_period",
                        "reservation_unused_recurring_fee",
                    ),
                ),
                CostCase(type="Fee", where_set="reservation_reservation_a_r_n"),
            ),
        ),
        CostKind.LIST: CostRule(otherwise="pricing_public_on_demand_cost"),
    },
    provider_name="AWS",
    service=("product_product_name", "line_item_product_code"),
    sub_account_id=("line_item_usage_account_id",),
    sub_account_name=("line_item_usage_account_name",),
    tags_prefix="resource_tags_",
    tags_header="resourceTags/",
)
"""The effective cost is AWS's amortized cost (AWS Cost and Usage Report user guide, "Understanding
your amortized reservation data", "Understanding Savings Plans" and the amortized queries of the CUR
Query Library): usage that a commitment covers counts at its effective cost, and the fee of a
commitment counts with its unused part, because the used part is in the usage. A report has no
contracted cost. It states public prices only for usage, not for fees, taxes or credits.
"""

_RANGE: Final = re.compile(r"\d{8}-\d{8}", re.ASCII)
# <YYYYMMDD-YYYYMMDD>/ contains the manifest of the current run, and a folder with the manifest of
# each run, unless the report overwrites its versions.
_MANIFEST_FOLDER: Final = re.compile(rf"(?:{_RANGE.pattern})(?:/[^/]+)?", re.ASCII)
_MANIFEST_PATH: Final = re.compile(
    rf"(?P<above>(?:[^/]*/)*?){_MANIFEST_FOLDER.pattern}/(?P<report>[^/]+)-Manifest\.json", re.ASCII
)
_ADVICE: Final = "choose the compression type GZIP for the report in AWS. See"
_STATED_TYPES: Final[Mapping[str, ColumnType]] = {
    "bigdecimal": ColumnType.DECIMAL,
    "datetime": ColumnType.TIMESTAMP,
}


def export_roots(prefix: str, export_name: str) -> tuple[str, ...]:
    """`<prefix>/<export_name>/`, or `<prefix>/` if a copy tool dropped the folder of the report.

    Extra slashes in the prefix mean nothing, or else folders without a name.
    """
    above = "".join(f"{folder}/" for folder in prefix.split("/") if folder)
    name = f"{export_name.strip('/')}/"
    # AWS adds a slash even after a prefix that ends in one, and before a report without a prefix.
    exact = [f"{prefix}/{name}", *([f"{prefix}{name}"] if prefix.endswith("/") else [])]
    return tuple(dict.fromkeys((f"{above}{name}", *exact, above)))


def is_manifest(path: str, export_name: str) -> bool:
    """Whether a path below a root is a run's manifest, `<export_name>-Manifest.json`.

    The name leaves out the manifests for Redshift and QuickSight, and those of other reports in
    the same folder.
    """
    folder, _, name = path.rpartition("/")
    return name == manifest_name(export_name) and _MANIFEST_FOLDER.fullmatch(folder) is not None


def manifest_name(export_name: str) -> str:
    """`<report>-Manifest.json`."""
    report = export_name.strip("/").rpartition("/")[2]
    return f"{report}-Manifest.json"


def is_month_folder(name: str) -> bool:
    """`YYYYMMDD-YYYYMMDD`, with an exclusive end."""
    return _RANGE.fullmatch(name) is not None


def export_of(path: str) -> tuple[str, str] | None:
    """The path before the report's folder, or before the month if a copy dropped that folder."""
    match = _MANIFEST_PATH.fullmatch(path)
    if match is None:
        return None
    above, report = match["above"].removesuffix("/"), match["report"]
    prefix, _, folder = above.rpartition("/")
    return (prefix if folder == report else above), report


def column_name(header: str) -> str:
    """The name that AWS gives the column in Athena."""
    return athena_name(header)


def is_amount(name: str) -> bool:
    """Whether a column is documented as money, price or quantity."""
    return _documented_type(name) is ColumnType.DECIMAL


def column_type(header: str, manifest: Manifest) -> ColumnType:
    """The type from the manifest, otherwise from AWS's documentation, otherwise text.

    What AWS documents as an amount is a decimal, whatever the manifest says.

    A manifest may list fewer columns than its files have.
    """
    for column in manifest.columns or ():
        if column.name == header:
            return column.type
    return _documented_type(header)


def read_manifest(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
) -> Manifest:
    """Parses a manifest; it has no row counts and no time, so the time of the object is used.

    Raises:
        ManifestError: If a value is missing or cannot be read, or the report is not gzipped CSV.
    """
    document = JsonObject.parse(content, path=stored.path)
    _require_gzipped_csv(document)
    run_id = document.required("assemblyId", document.text)
    starts_at, ends_at = _read_period(document)
    return Manifest(
        provider=NAME,
        export=export,
        path=stored.path,
        run_id=run_id,
        period=BillingPeriod.of(starts_at),
        covers_from=starts_at.date(),
        # The end is exclusive, and may be any time of day.
        covers_to=(ends_at - timedelta(microseconds=1)).date(),
        submitted_at=stored.modified_at,
        file_format="csv",
        parts=_read_parts(document, stored.path, root, listing),
        columns=_read_columns(document),
        scope=(document.text("account") or "").strip("/").lower() or None,
        stored_at=stored.modified_at,
        states_days=False,
        is_current=_RANGE.fullmatch(posixpath.dirname(stored.path.removeprefix(root))) is not None,
    )


def _require_gzipped_csv(document: JsonObject) -> None:
    # In Parquet the costs are floating point numbers, and no warehouse reads ZIP.
    content_type = document.text("contentType")
    if content_type is not None and not content_type.lower().startswith("text/csv"):
        problem = f"This report is not CSV but '{content_type[:40]}'; {_ADVICE}"
        raise document.error(problem, "contentType")
    compression = document.text("compression")
    if compression is not None and compression.upper() != "GZIP":
        problem = f"This report is compressed as '{compression[:40]}'; {_ADVICE}"
        raise document.error(problem, "compression")


def _read_period(document: JsonObject) -> tuple[datetime, datetime]:
    period = document.required("billingPeriod", document.child)
    starts_at = period.required("start", period.time)
    ends_at = period.required("end", period.time)
    if ends_at <= starts_at:
        raise period.error("The billing period ends before it starts in", "end")
    return starts_at, ends_at


def _read_parts(
    document: JsonObject, manifest_path: str, root: str, listing: Mapping[str, StoredObject]
) -> tuple[Part, ...]:
    if document.values.get("reportKeys") is None:
        raise document.error("Missing required value in", "reportKeys")
    parts: dict[str, Part] = {}
    for index, key in enumerate(document.texts("reportKeys")):
        where = f"reportKeys[{index}]"
        folders = key.split("/")
        if "://" in key or not folders[-1] or {".", ".."} & {*folders}:
            raise document.error(f"{key[:80]!r} names no part of the report's bucket in", where)
        if not key.lower().endswith(".csv.gz"):
            raise document.error(f"This part is not gzipped CSV; {_ADVICE}", where)
        path = _resolve([folder for folder in folders if folder], manifest_path, root, listing)
        if path in parts:
            raise document.error(f"The part {path} is listed twice in", where)
        parts[path] = Part(path=path)
    return tuple(parts.values())


def _resolve(
    folders: list[str], manifest_path: str, root: str, listing: Mapping[str, StoredObject]
) -> str:
    """The longest end of a key that exists below the root, or the path where it is expected.

    A copy tool may have dropped or added folders before a key. But the folder of the range and the
    folder of the run must match, because every run and every month uses the same file names.
    """
    ranges = [index for index, folder in enumerate(folders[:-1]) if _RANGE.fullmatch(folder)]
    if not ranges:
        return posixpath.join(posixpath.dirname(manifest_path), folders[-1])
    paths = [root + "/".join(folders[start:]) for start in range(ranges[-1] + 1)]
    return next((path for path in paths if path in listing), paths[-1])


def _read_columns(document: JsonObject) -> tuple[Column, ...] | None:
    columns: dict[str, Column] = {}
    for entry in document.children("columns"):
        category, name = entry.text("category"), entry.required("name", entry.text)
        header = f"{category}/{name}" if category else name
        stated = entry.text("type")
        column = Column(
            name=header,
            target=column_name(header),
            type=_type_of(header, stated),
        )
        if columns.setdefault(header, column) != column:
            raise entry.error(f"The column {header[:80]!r} has a second, other type in", "type")
    return tuple(columns.values()) or None


def _type_of(header: str, stated: str | None) -> ColumnType:
    """The type that the manifest states, but what AWS documents as an amount is one in any case."""
    documented = _documented_type(header)
    if documented is ColumnType.DECIMAL or not stated:
        return documented
    return _stated_type(stated)


def _stated_type(stated: str) -> ColumnType:
    # Interval, String and any type that AWS may add are text.
    return _STATED_TYPES.get(stated.lower().removeprefix("optional"), ColumnType.STRING)


def _documented_type(header: str) -> ColumnType:
    return DOCUMENTED_TYPES.get(athena_name(header), ColumnType.STRING)
