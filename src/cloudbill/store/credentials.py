"""Where the credentials of a store or of BigQuery go: never into a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["MALFORMED", "bigquery_advice", "malformed_value", "store_advice"]

MALFORMED: Final = (AttributeError, LookupError, OSError, TypeError, ValueError)
"""What dlt and the clients raise for values that are no keys, and for files that are none."""


_GOOGLE: Final = (
    "run `gcloud auth application-default login`",
    "or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account",
)
_SERVICE_ACCOUNT: Final = "project_id, client_email, private_key"
_STORES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "gs": (_GOOGLE, ("project_id", "client_email", "private_key")),
    "s3": (
        ("what the AWS CLI uses: `aws configure`, AWS_PROFILE, or the machine's role",),
        ("aws_access_key_id", "aws_secret_access_key", "region_name"),
    ),
    "az": (
        ("run `az login`, and give azure_storage_account_name below",),
        (
            "azure_storage_account_name",
            "azure_storage_account_key or azure_storage_sas_token",
        ),
    ),
}


def store_advice(scheme: str, section: str) -> tuple[str, ...]:
    """Lines that say how a source accesses its store; none if the exports are on disk.

    An empty `section` stands for all sources.
    """
    if scheme not in _STORES:
        return ()
    ways, keys = _STORES[scheme]
    home = f"sources.{section}.credentials" if section else "sources.credentials"
    variable = f"{home.upper().replace('.', '__')}__{keys[0].upper()}"
    return (
        f"Credentials for {scheme}://",
        *(f"  {way}" for way in ways),
        f"  or, in .dlt/secrets.toml, [{home}]: {', '.join(keys)}",
        f"  or each of these keys in the environment, such as {variable}",
    )


def malformed_value(error: Exception) -> str:
    """Why credentials cannot be used, and what to do; names no value, for it may be the secret."""
    return (
        f"one of their values is malformed or missing ({type(error).__name__}). Write them again "
        "as they were given out, a private key with all of its lines"
    )


def bigquery_advice() -> tuple[str, ...]:
    """Lines that say how to access BigQuery."""
    return (
        "Credentials for BigQuery",
        *(f"  {way}" for way in _GOOGLE),
        "  or, in .dlt/secrets.toml, [destination.bigquery.credentials]: " + _SERVICE_ACCOUNT,
    )
