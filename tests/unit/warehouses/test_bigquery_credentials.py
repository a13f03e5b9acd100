"""Credentials that are missing, or half of what Google's library wants, are said in few words."""

from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING

import pytest
from dlt.common.configuration.specs.gcp_credentials import GcpDefaultCredentials
from google.auth import _cloud_sdk

from cloudbill.errors import ConfigError
from cloudbill.warehouses.bigquery import client
from cloudbill.warehouses.bigquery.client import find_credentials

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("own_dlt")


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where nobody is signed in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    # For ten minutes dlt does not look again.
    monkeypatch.setattr(GcpDefaultCredentials, "_LAST_FAILED_DEFAULT", 0.0)
    client._tell_of_quota_project.cache_clear()  # noqa: SLF001


def test_missing_credentials_are_five_lines_at_most() -> None:
    with pytest.raises(ConfigError) as raised:
        find_credentials()
    lines = str(raised.value).splitlines()
    assert len(lines) <= 5
    assert lines[0].startswith("No credentials for BigQuery: ")
    assert "gcloud auth application-default login" in str(raised.value)
    assert "[destination.bigquery.credentials]" in str(raised.value)
    assert "Environment Variables" not in str(raised.value)


def test_a_quota_project_that_is_missing_is_said_in_words_and_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gcloud"
    folder.mkdir()
    signed_in = {
        "type": "authorized_user",
        "client_id": _cloud_sdk.CLOUD_SDK_CLIENT_ID,
        "client_secret": "s",
        "refresh_token": "r",
    }
    (folder / "application_default_credentials.json").write_text(json.dumps(signed_in))
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        for _ in range(2):
            find_credentials()
    told = [line.getMessage() for line in caplog.records if "quota project" in line.getMessage()]
    assert len(told) == 1
    assert "gcloud auth application-default set-quota-project" in told[0]
