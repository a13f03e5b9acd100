"""What differs between the clouds that bill: one module each, and one line in `PROVIDERS`.

Pure.
May import: text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from cloudbill.models import ColumnType, Manifest, StoredObject
from cloudbill.providers import aws_cur, azure_focus
from cloudbill.providers.roles import Roles

__all__ = ["Listing", "PROVIDERS", "Provider", "provider_of"]

Listing = Mapping[str, StoredObject]
"""Every object of an export, by its path in the store."""


class Provider(Protocol):
    """What a module of this package offers; all of it is pure."""

    @property
    def NAME(self) -> str:  # noqa: N802
        """The provider's short name, as users type it: `azure`."""

    @property
    def TITLE(self) -> str:  # noqa: N802
        """What the provider's manifests are called in messages: `Azure billing`."""

    @property
    def SECTION(self) -> str:  # noqa: N802
        """The section below `sources` that holds its configuration: `azure_billing`."""

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
        """The table that is loaded where `table_name` is not configured."""

    @property
    def PERIOD_COLUMN(self) -> str:  # noqa: N802
        """The column of the table whose month is the billing period of a row."""

    @property
    def CLUSTER_COLUMN(self) -> str:  # noqa: N802
        """The column by which a table is clustered in a warehouse that clusters."""

    @property
    def CURRENCY_COLUMN(self) -> str:  # noqa: N802
        """The column that holds the currency of the cost columns."""

    @property
    def BILLED_COLUMN(self) -> str:  # noqa: N802
        """The cost column whose sum is what the provider bills."""

    @property
    def COST_COLUMNS(self) -> tuple[str, ...]:  # noqa: N802
        """The columns of the table that are totalled when a month is reconciled."""

    @property
    def ROLES(self) -> Roles:  # noqa: N802
        """What the columns of the table stand for when bills are summed."""

    def export_roots(self, prefix: str, export_name: str) -> tuple[str, ...]:
        """The folders of the store under which all of an export may lie, the likeliest first.

        Each ends in `/` or is empty. A later one is looked at where no earlier one has a manifest.
        """

    def is_manifest(self, path: str, export_name: str) -> bool:
        """Whether a path below a root of an export is that of a manifest of the export."""

    def manifest_name(self, export_name: str) -> str:
        """What the manifest of a run of an export is called."""

    def is_month_folder(self, name: str) -> bool:
        """Whether the folder of an export in which the runs of a month lie may be called so."""

    def export_of(self, path: str) -> tuple[str, str] | None:
        """The prefix and the name of the export that a manifest belongs to, by its path alone.

        None where the path is not that of a manifest, or names no export.
        """

    def column_name(self, header: str) -> str:
        """The name that a CSV header asks for in a table; other headers may ask for the same."""

    def column_type(self, header: str, manifest: Manifest) -> ColumnType:
        """What the column of a CSV header holds; text where nothing else is known."""

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
}


def provider_of(name: str) -> Provider:
    """The provider of that name.

    Raises:
        KeyError: If there is none.
    """
    return PROVIDERS[name]
