"""What differs between the clouds that bill: one module for each, and one line in `PROVIDERS`.

Pure.
May import: text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from cloudbill.manifests import ColumnType, Manifest, StoredObject
from cloudbill.providers import aws_cur, aws_focus, azure_focus
from cloudbill.providers.roles import Roles

__all__ = [
    "Listing",
    "PROVIDERS",
    "Provider",
    "provider_of",
]

Listing = Mapping[str, StoredObject]
"""Every object of an export, by its path in the store."""


class Provider(Protocol):
    """The interface of a provider's module; all of it is pure."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """The provider's short name, as users type it: `azure`."""

    @property
    def CLOUD(self) -> str:  # noqa: N802
        """What users type for all sources of the same cloud: `aws`."""

    @property
    def TITLE(self) -> str:  # noqa: N802
        """The name of the provider's manifests in messages: `Azure billing`."""

    @property
    def SECTION(self) -> str:  # noqa: N802
        """The section below `sources` with its configuration: `azure_billing`."""

    @property
    def DATASET(self) -> str:  # noqa: N802
        """What is loaded, as `datasets` calls it."""

    @property
    def HOW_TO_EXPORT(self) -> str:  # noqa: N802
        """What to do at the provider to get what is loaded, as the end of a sentence."""

    @property
    def HOW_TO_GET_MANIFESTS(self) -> str:  # noqa: N802
        """What to do where an export comes without manifests, as a sentence without its stop."""

    @property
    def DEFAULT_TABLE(self) -> str:  # noqa: N802
        """The table that is loaded if `table_name` is not configured."""

    @property
    def PERIOD_COLUMN(self) -> str:  # noqa: N802
        """The column of the table whose month is the billing period of a row."""

    @property
    def CLUSTER_COLUMN(self) -> str:  # noqa: N802
        """The column by which a table is clustered, if the warehouse clusters."""

    @property
    def CURRENCY_COLUMN(self) -> str:  # noqa: N802
        """The column with the currency of the cost columns."""

    @property
    def BILLED_COLUMN(self) -> str:  # noqa: N802
        """The cost column whose sum is what the provider bills."""

    @property
    def COST_COLUMNS(self) -> tuple[str, ...]:  # noqa: N802
        """The columns of the table that are totalled when a month is reconciled."""

    @property
    def ROLES(self) -> Roles:  # noqa: N802
        """What the columns of the table mean when bills are summed."""

    def export_roots(self, prefix: str, export_name: str) -> tuple[str, ...]:
        """The folders of the store that may contain the whole export, the likeliest first.

        Each ends in `/` or is empty. A later folder is used only if no earlier one has a manifest.
        """

    def is_manifest(self, path: str, export_name: str) -> bool:
        """Whether a path below a root of an export is the path of one of its manifests."""

    def manifest_name(self, export_name: str) -> str:
        """What the manifest of a run of an export is called."""

    def is_month_folder(self, name: str) -> bool:
        """Whether a folder for the runs of a month may have this name."""

    def export_of(self, path: str) -> tuple[str, str] | None:
        """The prefix and the name of the export of a manifest, from its path alone.

        None if the path is not that of a manifest, or names no export.
        """

    def month_of(self, path: str) -> str | None:
        """The month that the folders of a path name, as `YYYYMM`; None if they name none."""

    def column_name(self, header: str) -> str:
        """The column name that a CSV header prefers; other headers may prefer the same."""

    def is_amount(self, name: str) -> bool:
        """Whether a column of a table is documented as money, price or quantity."""

    def column_type(self, header: str, manifest: Manifest) -> ColumnType:
        """The type of the column of a CSV header; text if nothing else is known."""

    def read_manifest(
        self, content: bytes, *, stored: StoredObject, root: str, export: str, listing: Listing
    ) -> Manifest:
        """Parses a manifest; the paths of its parts are resolved against the listing.

        Raises:
            ManifestError: If a required value is missing or cannot be read.
        """


PROVIDERS: Final[Mapping[str, Provider]] = {
    azure_focus.NAME: azure_focus,
    aws_cur.NAME: aws_cur,
    aws_focus.NAME: aws_focus,
}


def provider_of(name: str) -> Provider:
    """The provider of that name.

    Raises:
        KeyError: If there is none.
    """
    return PROVIDERS[name]
