"""Stores are opened by their address, or it is said what is wrong with it or missing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cloudbill.disk.installation import adding_extra
from cloudbill.errors import ConfigError
from cloudbill.store import open_store
from cloudbill.store.address import parse_address
from cloudbill.store.local import LocalStore

# Clients of buckets are configured by dlt.
pytestmark = pytest.mark.usefixtures("own_dlt")

SECTIONS = ("sources", "azure_billing")


class TestOpening:
    @pytest.mark.parametrize(
        "bucket", ["{tmp}", "file://{tmp}", "FILE://{tmp}"], ids=["path", "URL", "capitals"]
    )
    def test_folder_is_opened(self, tmp_path: Path, bucket: str) -> None:
        store = open_store(bucket.format(tmp=tmp_path), sections=SECTIONS)

        assert isinstance(store, LocalStore)
        assert store.uri("a") == str(tmp_path / "a")

    def test_tilde_is_the_home_of_the_user(self) -> None:
        assert open_store("~/bills", sections=SECTIONS).uri("a") == str(Path.home() / "bills/a")

    @pytest.mark.parametrize(
        ("bucket", "address"),
        [
            ("exports", "gs://exports"),
            ("gs://exports", "gs://exports"),
            ("gcs://exports/", "gs://exports"),
            ("GS://exports", "gs://exports"),
        ],
    )
    def test_name_is_a_bucket_of_google(
        self, monkeypatch: pytest.MonkeyPatch, bucket: str, address: str
    ) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
        monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

        store = open_store(bucket, sections=SECTIONS)

        assert (store.address, store.scheme, store.title) == (address, "gs", "GCS")

    @pytest.mark.parametrize(
        ("bucket", "message"),
        [
            ("ftp://exports", "'ftp://' is not a known store; give a bucket name"),
            ("gs://", "'gs://' names no bucket"),
            ("s3:///", "'s3:///' names no bucket"),
            ("", "'' names no bucket"),
        ],
        ids=["unknown scheme", "no bucket", "slash alone", "empty"],
    )
    def test_what_cannot_be_opened(self, bucket: str, message: str) -> None:
        with pytest.raises(ConfigError) as error:
            open_store(bucket, sections=SECTIONS)

        assert message in str(error.value)

    @pytest.mark.parametrize(
        ("scheme", "client"), [("gs", "gcsfs"), ("s3", "s3fs"), ("az", "adlfs")]
    )
    def test_client_that_is_not_installed_is_named(self, scheme: str, client: str) -> None:
        program = f"""
import sys
sys.modules["{client}"] = None
from cloudbill.store import open_store
from cloudbill.errors import ConfigError
try:
    open_store("{scheme}://exports", sections=("sources", "azure_billing"))
except ConfigError as error:
    print(error)
"""
        credentials = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AZURE_STORAGE_ACCOUNT_NAME": "test",
            "AZURE_STORAGE_ACCOUNT_KEY": "dGVzdA==",
        }
        named = {
            f"SOURCES__AZURE_BILLING__CREDENTIALS__{name}": value
            for name, value in credentials.items()
        }

        # In a process of its own: fsspec keeps the clients that it has seen.
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | named | {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            check=True,
        )

        assert f"install it: {adding_extra(scheme)}" in done.stdout


@pytest.mark.parametrize(
    ("scheme", "way"),
    [
        ("gs", "gcloud auth application-default login"),
        ("s3", "aws_access_key_id"),
        ("az", "azure_storage_account_name"),
    ],
)
def test_missing_credentials_are_said_with_the_places_where_they_may_stand(
    scheme: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ConfigError) as raised:
        open_store(f"{scheme}://bills", sections=("sources", "azure_billing"))

    message = str(raised.value)
    assert message.startswith(f"No credentials for {scheme}://bills were found\n")
    assert way in message
    assert "[sources.azure_billing.credentials]" in message
    assert len(message.splitlines()) < 8


class TestPathsOfWindows:
    """They are paths there, and elsewhere never the name of a bucket."""

    WRITTEN = ("C:\\bills", "c:/bills", "C://bills", "\\\\server\\share")

    @pytest.mark.parametrize("bucket", WRITTEN)
    def test_on_windows_it_is_a_folder(self, bucket: str) -> None:
        address = parse_address(bucket, is_windows=True)

        assert (address.scheme, address.place) == ("file", bucket)

    @pytest.mark.parametrize("url", ["file:///C:/bills", "file://C:/bills", "FILE:///C:/bills"])
    def test_a_url_of_a_file_has_its_drive(self, url: str) -> None:
        assert parse_address(url, is_windows=True).place == "C:/bills"

    @pytest.mark.parametrize("bucket", [*WRITTEN, "file:///C:/bills"])
    def test_elsewhere_it_is_refused_with_what_to_write(self, bucket: str) -> None:
        with pytest.raises(ConfigError, match=r"is a path of Windows, and .* /mnt/c/bills in WSL"):
            parse_address(bucket, is_windows=False)

    @pytest.mark.parametrize("is_windows", [True, False])
    @pytest.mark.parametrize("key", ["bills", "temp", "new", "finance", "reports"])
    def test_what_toml_made_of_it_in_double_quotes_is_said(
        self, key: str, *, is_windows: bool
    ) -> None:
        bucket = tomllib.loads(f'bucket = "C:\\{key}"')["bucket"]

        with pytest.raises(ConfigError, match="single quotes"):
            parse_address(bucket, is_windows=is_windows)
