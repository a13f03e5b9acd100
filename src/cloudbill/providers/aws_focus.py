"""FOCUS exports of AWS: FOCUS 1.0 and 1.2 with AWS columns, as Parquet and as CSV.

Sources: AWS, "Data Exports User Guide" (the tables FOCUS 1.0 and 1.2 with AWS columns).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cloudbill.manifests import ColumnType, Manifest, StoredObject
from cloudbill.providers import aws_cur, azure_focus, data_exports, datasets
from cloudbill.providers.aws_manifest import own_name, stated_type
from cloudbill.providers.focus_columns import aws_focus_type
from cloudbill.providers.roles import Roles

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

NAME: Final = "aws_focus"
CLOUD: Final = "aws"
TITLE: Final = "AWS FOCUS billing"
DATASET: Final = datasets.AWS_FOCUS
SECTION: Final = data_exports.SECTIONS[DATASET]
HOW_TO_EXPORT: Final = (
    "create a 'Standard data export' of 'FOCUS with AWS columns' under 'Data Exports' in AWS"
)
HOW_TO_GET_MANIFESTS: Final = aws_cur.HOW_TO_GET_MANIFESTS
DEFAULT_TABLE: Final = "aws_focus_billing_data"
PERIOD_COLUMN: Final = azure_focus.PERIOD_COLUMN
CLUSTER_COLUMN: Final = azure_focus.CLUSTER_COLUMN
CURRENCY_COLUMN: Final = azure_focus.CURRENCY_COLUMN
BILLED_COLUMN: Final = azure_focus.BILLED_COLUMN
COST_COLUMNS: Final = azure_focus.COST_COLUMNS
ROLES: Final = Roles(
    costs=azure_focus.ROLES.costs,
    provider=azure_focus.ROLES.provider,
    provider_name="AWS",
    service=azure_focus.ROLES.service,
    sub_account_id=azure_focus.ROLES.sub_account_id,
    sub_account_name=azure_focus.ROLES.sub_account_name,
    tags_column=azure_focus.ROLES.tags_column,
    purchases=azure_focus.ROLES.purchases,
    one_time=azure_focus.ROLES.one_time,
)
"""Those of FOCUS, whoever delivers it."""


_SINCE_1_2: Final = frozenset(
    {
        "billingaccounttype",
        "capacityreservationid",
        "commitmentdiscountquantity",
        "invoiceid",
        "pricingcurrency",
        "servicesubcategory",
        "skumeter",
        "skupricedetails",
        "subaccounttype",
    }
)
"""Columns that an export of FOCUS 1.0 does not have, in lower case."""


def export_roots(prefix: str, export_name: str) -> tuple[str, ...]:
    """`<prefix>/<export_name>/`, or `<prefix>/` if a copy tool dropped the folder of the export."""
    return aws_cur.export_roots(prefix, export_name)


def is_manifest(path: str, export_name: str) -> bool:
    """Whether a path below a root is that of a manifest of a Data Export."""
    return data_exports.is_data_export(path, own_name(export_name))


def manifest_name(export_name: str) -> str:
    """`<export>-Manifest.json`."""
    return aws_cur.manifest_name(export_name)


def is_month_folder(name: str) -> bool:
    """`billing_period=YYYY-MM`, in capitals or not."""
    return data_exports.MONTH_FOLDER.fullmatch(name) is not None


def export_of(path: str) -> tuple[str, str] | None:
    """The path before the export's folder, or before `metadata` if a copy dropped that folder."""
    return data_exports.export_of(path)


def month_of(path: str) -> str | None:
    """The month of the folder that a file is in, as `YYYYMM`."""
    return data_exports.month_of(path)


def column_name(header: str) -> str:
    """The header as it is: FOCUS names are valid in every warehouse."""
    return header


def is_amount(name: str) -> bool:
    """Whether a column is documented as money, price or quantity."""
    return aws_focus_type(name) is ColumnType.DECIMAL


def column_type(header: str, manifest: Manifest) -> ColumnType:
    """The type from the manifest, otherwise from AWS's documentation, otherwise text."""
    return stated_type(header, manifest) or aws_focus_type(header)


def read_manifest(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
) -> Manifest:
    """Parses the manifest of a month.

    Raises:
        ManifestError: If a value is missing or cannot be read, or it is of another dataset.
    """
    manifest = data_exports.read_data_export(
        content,
        stored=stored,
        root=root,
        export=export,
        listing=listing,
        provider=NAME,
        dataset=DATASET,
        required=(PERIOD_COLUMN, BILLED_COLUMN),
        documented=aws_focus_type,
    )
    return replace(manifest, data_version=_version_of(manifest))


def _version_of(manifest: Manifest) -> str | None:
    """The version of FOCUS, which no manifest of AWS states, by the columns that it lists.

    AWS exports FOCUS 1.0 and 1.2; the table dictionaries tell their columns.
    """
    if manifest.columns is None:
        return None
    names = {column.name.lower() for column in manifest.columns}
    return "1.2" if names & _SINCE_1_2 else "1.0"
