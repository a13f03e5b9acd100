"""FOCUS cost exports of Azure Cost Management: where their manifests are, and how they are read.

Sources: Microsoft Learn, "Create and manage Cost Management exports" (folder layout, manifest);
FinOps toolkit, "Data processing" (a null row count, the run id); exports as delivered.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from cloudbill.errors import ManifestError
from cloudbill.manifests import ColumnType, FileFormat, Manifest, Part, StoredObject
from cloudbill.periods import BillingPeriod
from cloudbill.providers import datasets
from cloudbill.providers.focus_columns import focus_type
from cloudbill.providers.json_object import JsonObject
from cloudbill.providers.roles import CostKind, CostRule, Roles, TextTest
from cloudbill.text.counts import counted
from cloudbill.text.times import parse_time

__all__ = [
    "BILLED_COLUMN",
    "CLOUD",
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
    "month_of",
    "read_manifest",
]

NAME: Final = "azure"
CLOUD: Final = "azure"
TITLE: Final = "Azure billing"
SECTION: Final = "azure_billing"
DATASET: Final = datasets.AZURE_FOCUS
HOW_TO_EXPORT: Final = (
    "create an export of the dataset 'Cost and usage details (FOCUS)' in Azure Cost Management"
)
HOW_TO_GET_MANIFESTS: Final = (
    "Switch on 'File partitioning' in the settings of the export at Azure, or create the export "
    "again: each run then comes with a manifest.json. If a job copies the files, let it copy "
    "manifest.json as well"
)
DEFAULT_TABLE: Final = "azure_focus_billing_data"
PERIOD_COLUMN: Final = "BillingPeriodStart"
CLUSTER_COLUMN: Final = "ChargePeriodStart"
CURRENCY_COLUMN: Final = "BillingCurrency"
BILLED_COLUMN: Final = "BilledCost"
COST_COLUMNS: Final = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_PURCHASE: Final = (
    TextTest(column="ChargeCategory", equals=("Purchase",)),
    # 1.0-preview names a credit here alone.
    TextTest(column="ChargeSubcategory", equals=("Credit",), is_not=True),
)
ROLES: Final = Roles(
    costs={
        CostKind.BILLED: CostRule(otherwise=BILLED_COLUMN),
        CostKind.EFFECTIVE: CostRule(otherwise="EffectiveCost"),
        CostKind.LIST: CostRule(otherwise="ListCost"),
        CostKind.CONTRACTED: CostRule(otherwise="ContractedCost"),
    },
    provider=("ProviderName", "ServiceProviderName"),
    provider_name="Microsoft",
    service=("ServiceName",),
    sub_account_id=("SubAccountId",),
    sub_account_name=("SubAccountName",),
    tags_column="Tags",
    purchases=(_PURCHASE,),
    one_time=((*_PURCHASE, TextTest(column="ChargeFrequency", equals=("One-Time",))),),
)
"""FOCUS has a column for each; the column of the provider has another name since FOCUS 1.3."""

# <YYYYMMDD-YYYYMMDD>/[<YYYYMMDDHHmm>/]<run>/manifest.json: only exports that keep their old runs
# have the folder of twelve digits, and older ones put an underscore before the name.
_MANIFEST_PATH: Final = re.compile(
    r"(?P<from>\d{8})-(?P<to>\d{8})/(?:(?P<at>\d{12})/)?(?P<run>[^/]+)/_?manifest\.json",
    re.ASCII,
)
_RANGE: Final = re.compile(r"\d{8}-\d{8}", re.ASCII)
_FORMATS: Final[Mapping[str, FileFormat]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
}


def export_roots(prefix: str, export_name: str) -> tuple[str, ...]:
    """Only `<prefix>/<export_name>/`; the prefix may be empty."""
    folders = [*prefix.strip("/").split("/"), export_name.strip("/")]
    return ("".join(f"{folder}/" for folder in folders if folder),)


def is_manifest(path: str, export_name: str) -> bool:  # noqa: ARG001
    """Whether a path below the root of an export is a run's manifest."""
    return _MANIFEST_PATH.fullmatch(path) is not None


def manifest_name(export_name: str) -> str:  # noqa: ARG001
    """`manifest.json`, whatever the export is called."""
    return "manifest.json"


def is_month_folder(name: str) -> bool:
    """`YYYYMMDD-YYYYMMDD`, the requested days."""
    return _RANGE.fullmatch(name) is not None


def export_of(path: str) -> tuple[str, str] | None:
    """The export is the folder above the month, and the prefix is the path before it."""
    folders = path.split("/")
    # The month, the run and the manifest; some exports have one more folder between them.
    for month in (len(folders) - 3, len(folders) - 4):
        if month > 0 and _MANIFEST_PATH.fullmatch("/".join(folders[month:])):
            *above, export = folders[:month]
            return ("/".join(above), export) if export else None
    return None


def month_of(path: str) -> str | None:
    """The month of the first day of the folder that a file is in, as `YYYYMM`."""
    return next((one[:6] for one in path.split("/") if _RANGE.fullmatch(one)), None)


def column_name(header: str) -> str:
    """The header as it is: FOCUS names are valid in every warehouse."""
    return header


def is_amount(name: str) -> bool:
    """Whether a column is documented as money, price or quantity."""
    return focus_type(name, None) is ColumnType.DECIMAL


def column_type(header: str, manifest: Manifest) -> ColumnType:
    """The type in the version of the dataset that the manifest names."""
    return focus_type(header, manifest.data_version)


def read_manifest(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
) -> Manifest:
    """Parses a manifest of any version from 2021-01-01 on.

    Raises:
        ManifestError: If a value is missing or cannot be read, or if the export is not FOCUS.
    """
    document = JsonObject.parse(content, path=stored.path)
    config = document.child("exportConfig")
    # What else is odd about the manifest of another dataset helps nobody.
    _require_focus(config)
    run = _read_run(document, stored=stored, root=root)
    parts = _read_parts(document, stored.path, listing)
    return Manifest(
        provider=NAME,
        export=export,
        path=stored.path,
        run_id=run.run_id,
        period=BillingPeriod.of(run.covers_from),
        covers_from=run.covers_from,
        covers_to=run.covers_to,
        submitted_at=run.submitted_at,
        file_format=_file_format(document, parts),
        parts=parts,
        rows=_read_rows(document, parts),
        data_version=config.text("dataVersion") if config else None,
        scope=_scope(config),
        stored_at=stored.modified_at,
        states_days=document.child("runInfo") is not None,
        time_frame=config.text("timeFrame") if config else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    run_id: str
    covers_from: date
    covers_to: date
    submitted_at: datetime


def _read_run(document: JsonObject, *, stored: StoredObject, root: str) -> _Run:
    """The `runInfo`, or the dates in the folders if a manifest of 2021-01-01 has none."""
    info = document.child("runInfo")
    if info is not None:
        first, last = _stated_days(info, stored, root)
        run = _Run(
            run_id=info.required("runId", info.text),
            covers_from=first,
            covers_to=last,
            submitted_at=info.time("submittedTime") or _time_of_folders(stored, root),
        )
        where = "runInfo.endDate"
    else:
        run = _run_of_folders(stored, root)
        where = "runInfo"
    if run.covers_to < run.covers_from:
        raise ManifestError("The run ends before it starts in", path=stored.path, key=where)
    return run


def _stated_days(info: JsonObject, stored: StoredObject, root: str) -> tuple[date, date]:
    """The first and last day that `runInfo` states, cut to those of the folder where both agree.

    An end at midnight of the first of a month is exclusive where the folder ends the day before:
    some exports state the end of a month so.
    """
    first = info.required("startDate", info.time).date()
    end = info.required("endDate", info.time)
    last = end.date()
    folder = _days_of_folder(stored, root)
    if folder is None:
        return first, last
    is_midnight = end.day == 1 and end.time() == time.min
    if is_midnight and folder[1] == last - timedelta(days=1) and first < last:
        last = folder[1]
    if first > folder[1] or last < folder[0] or last < first:
        return first, last
    return max(first, folder[0]), min(last, folder[1])


def _days_of_folder(stored: StoredObject, root: str) -> tuple[date, date] | None:
    match = _MANIFEST_PATH.fullmatch(stored.path.removeprefix(root))
    if match is None:
        return None
    try:
        first, last = parse_time(match["from"]).date(), parse_time(match["to"]).date()
    except ValueError:
        return None
    return (first, last) if first <= last else None


def _run_of_folders(stored: StoredObject, root: str) -> _Run:
    match = _MANIFEST_PATH.fullmatch(stored.path.removeprefix(root))
    if match is None:
        raise ManifestError("Missing required value in", path=stored.path, key="runInfo")
    try:
        return _Run(
            run_id=match["run"],
            covers_from=parse_time(match["from"]).date(),
            covers_to=parse_time(match["to"]).date(),
            submitted_at=_time_of_folders(stored, root),
        )
    except ValueError as error:
        problem = "No runInfo, and no dates in the folders of"
        raise ManifestError(problem, path=stored.path) from error


def _time_of_folders(stored: StoredObject, root: str) -> datetime:
    """The time in the folder of twelve digits, or else when the manifest was written or copied."""
    match = _MANIFEST_PATH.fullmatch(stored.path.removeprefix(root))
    if match is None or match["at"] is None:
        return stored.modified_at
    return parse_time(f"{match['at'][:8]}T{match['at'][8:]}")


def _read_parts(
    document: JsonObject, manifest_path: str, listing: Mapping[str, StoredObject]
) -> tuple[Part, ...]:
    parts: dict[str, Part] = {}
    for blob in document.children("blobs"):
        path = _resolve(blob, manifest_path, listing)
        if path in parts:
            raise blob.error(f"The part {posixpath.basename(path)} is listed twice in", "blobName")
        parts[path] = Part(path=path, size=blob.count("byteCount"), rows=blob.count("dataRowCount"))
    stated = document.count("blobCount")
    if "blobs" not in document.values and stated != 0:
        # A run without parts empties its month, so only an explicit statement makes such a run.
        raise document.error("Missing required value in", "blobs")
    if stated is not None and stated != len(parts):
        raise document.error(
            f"{counted(len(parts), 'part is', plural='parts are')} listed, not the {stated} of",
            "blobCount",
        )
    return tuple(parts.values())


def _resolve(blob: JsonObject, manifest_path: str, listing: Mapping[str, StoredObject]) -> str:
    """The part in the folder of its manifest, or else at its full name.

    `blobName` is relative to Azure's container, and does not know the folders that a copy tool
    added before it, so the part is first looked up in the folder of the manifest.
    """
    name = blob.required("blobName", blob.text)
    base = posixpath.basename(name)
    if base in {"", ".", ".."}:
        raise blob.error(f"{name[:80]!r} names no part in", "blobName")
    beside = posixpath.join(posixpath.dirname(manifest_path), base)
    # The listing has only this export, so a name cannot lead out of it.
    return name if beside not in listing and name in listing else beside


def _read_rows(document: JsonObject, parts: tuple[Part, ...]) -> int | None:
    stated = document.count("dataRowCount")
    if stated is not None:
        return stated
    counts = [part.rows for part in parts if part.rows is not None]
    return sum(counts) if parts and len(counts) == len(parts) else None


def _file_format(document: JsonObject, parts: tuple[Part, ...]) -> FileFormat:
    # File names are more reliable than deliveryConfig, which a manifest of 2021-01-01 lacks.
    formats: set[FileFormat] = set()
    for index, part in enumerate(parts):
        ending = re.search(r"(\.parquet|\.csv|\.csv\.gz)$", part.path.lower())
        if ending is None:
            problem = "The part is neither .parquet nor .csv nor .csv.gz in"
            raise document.error(problem, f"blobs[{index}].blobName")
        formats.add(_FORMATS[ending[1]])
    if len(formats) > 1:
        raise document.error("Both Parquet and CSV parts are listed in", "blobs")
    return formats.pop() if formats else "parquet"


def _scope(config: JsonObject | None) -> str | None:
    """The billing account or subscription that is exported (FinOps toolkit, "Data processing")."""
    resource = config.text("resourceId") if config else None
    if resource is None:
        return None
    scope = f"{resource.lower()}/".partition("/providers/microsoft.costmanagement/exports/")[0]
    return scope.strip("/") or None


def _require_focus(config: JsonObject | None) -> None:
    kind = config.text("type") if config else None
    if config is not None and kind is not None and kind.lower() != "focuscost":
        problem = (
            f"This is a '{kind[:40]}' export; choose the dataset 'Cost and usage details (FOCUS)'"
        )
        raise config.error(f"{problem} in", "type")
