"""Loads the billing exports of the clouds into your own warehouse: once, complete, exact.

The public names are imported when they are first used, because importing dlt takes a second. At the
top are the steps of a load, its sources for dlt, and the modules that any package may import.

Pure: errors, manifests, models, periods, progress, redaction, sql.
May import: disk, exports, files, ledger, loading, planning, providers, settings,
setup, store, text, warehouses.
"""

from __future__ import annotations

# As `typing` has it, which takes longer to import than everything before the command listens to
# Ctrl-C.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from cloudbill.errors import (
        CloudbillError,
        ConfigError,
        LoadError,
        ManifestError,
        StoreError,
        TransientLoadError,
    )
    from cloudbill.sources import (
        aws_billing_source,
        aws_focus_billing_source,
        azure_billing_source,
    )

__all__ = [
    "CloudbillError",
    "ConfigError",
    "LoadError",
    "ManifestError",
    "StoreError",
    "TransientLoadError",
    "aws_billing_source",
    "aws_focus_billing_source",
    "azure_billing_source",
]


def __getattr__(name: str) -> object:
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "sources" if name.endswith("_source") else "errors"
    return getattr(import_module(f"cloudbill.{home}"), name)


def __dir__() -> list[str]:
    return __all__
