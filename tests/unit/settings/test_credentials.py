"""A key of credentials that no cloud has is an error, and those that one has are taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.providers import EnvironProvider

from cloudbill.errors import ConfigError
from cloudbill.settings import SourceSettings, read_sources
from cloudbill.setup.config_file import TomlValues

FILE_OF_A_KEY = {
    *("type", "project_id", "private_key_id", "private_key", "client_email", "client_id"),
    *("auth_uri", "token_uri", "auth_provider_x509_cert_url", "client_x509_cert_url"),
    "universe_domain",
}
"""What Google writes into the file of a service account's key."""


def read(bucket: str, keys: dict[str, str], *, more: str = "") -> tuple[SourceSettings, ...]:
    """The sources of a configuration with keys of credentials, each in a section."""
    text = f"[sources.aws_billing]\nbucket = '{bucket}'\nexport_name = 'e'\n{more}"
    tables = "".join(f"\n[{section}.credentials]\n{key} = 'x'\n" for key, section in keys.items())
    return read_sources([TomlValues(text + tables, Path("secrets.toml"))], {})


@pytest.mark.parametrize(
    ("bucket", "key", "meant"),
    [
        ("s3://b", "endpoint", "endpoint_url"),
        ("s3://b", "aws_acces_key_id", "aws_access_key_id"),
        ("az://b", "azure_storage_acount_name", "azure_storage_account_name"),
        ("az://b", "azure_tennant_id", "azure_tenant_id"),
        ("gs://b", "private_keys", "private_key"),
    ],
)
@pytest.mark.parametrize("section", ["sources", "sources.aws_billing"])
def test_a_misspelt_key_is_an_error_with_the_nearest(
    bucket: str, key: str, meant: str, section: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(bucket, {key: section})
    hint = f"Unknown key '{key}' in [{section}.credentials]. Did you mean '{meant}'?"
    assert str(refused.value) == hint


def test_one_of_bigquery_is_an_error_where_a_source_is_loaded_there() -> None:
    keys = {"client_mail": "destination.bigquery"}
    assert read("./exports", keys)
    with pytest.raises(ConfigError, match=r"bigquery.credentials\]. Did you mean 'client_email'"):
        read("./exports", keys, more="project_id = 'p'\n")


def test_a_variable_is_named() -> None:
    variable = "SOURCES__CREDENTIALS__ENDPOINT"
    text = "[sources.aws_billing]\nbucket = 's3://b'\nexport_name = 'e'\n"
    with pytest.raises(ConfigError, match=f"by the variable {variable}. Did you"):
        read_sources([TomlValues(text, Path("config.toml"))], {variable: "x"})


def test_keys_of_every_cloud_and_a_whole_key_file_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {
        *("endpoint_url", "aws_session_token", "profile_name", "azure_client_secret"),
        *("azure_storage_sas_token", "refresh_token", *FILE_OF_A_KEY),
    }
    lines = "".join(f"{key} = 'x'\n" for key in sorted(keys))
    text = "[sources.aws_billing]\nbucket = 's3://b'\nexport_name = 'e'\n[sources.credentials]\n"
    assert read_sources([TomlValues(text + lines, Path("secrets.toml"))], {})
    # A whole key as one value is nothing to look into.
    monkeypatch.setenv("SOURCES__AWS_BILLING__CREDENTIALS", '{"no": "key of ours"}')
    environment: Any = EnvironProvider()
    given = TomlValues("[sources.aws_billing]\nbucket='gs://b'\nexport_name='e'\n", Path("c"))
    assert read_sources([environment, given], os.environ)
