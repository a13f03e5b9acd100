"""How the tests read a manifest of an Azure FOCUS export."""

from __future__ import annotations

from typing import Any

from cloudbill.manifests import Manifest
from cloudbill.providers import azure_focus
from unit.builders import (
    MANIFEST_PATH,
    ROOT,
    document,
    encoded,
    listing,
    stored,
)

NO_RUN = {"runInfo": None, "exportConfig": None, "deliveryConfig": None}
"""What a manifest of 2021-01-01 lacks."""


def read(content: dict[str, Any] | bytes, *paths: str, path: str = MANIFEST_PATH) -> Manifest:
    """The manifest of a document that lies at `path`, with other objects beside it."""
    return azure_focus.read_manifest(
        content if isinstance(content, bytes) else encoded(content),
        stored=stored(path),
        root=ROOT,
        export="focus-daily",
        listing=listing(*paths),
    )


def run_info(**changes: Any) -> dict[str, Any]:
    """The `runInfo` of a good manifest with changes."""
    info: dict[str, Any] = document()["runInfo"]
    return info | changes
