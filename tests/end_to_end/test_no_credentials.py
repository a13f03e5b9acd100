"""Without credentials for BigQuery, every command says so in a few lines."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from dlt.common.configuration.specs.gcp_credentials import GcpDefaultCredentials

from end_to_end.conftest import ROOT, configure

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from end_to_end.conftest import Run

COMMANDS = (
    ("load",),
    ("plan",),
    ("load", "--dry-run"),
    ("status",),
    ("status", "--check"),
    ("history",),
    ("verify",),
    ("report",),
    ("accept", "2025-10"),
    ("dismiss", "azure_billing", "2025-10"),
    ("state", "rebuild", "azure_billing"),
    ("doctor",),
)


def test_every_command_says_it_in_few_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    configure(
        tmp_path,
        f"""
        [sources.azure_billing]
        bucket = "{ROOT / "sample_exports"}"
        prefix = "azure/billing"
        export_name = "focus-daily"
        project_id = "acme"
        """,
    )
    for words in COMMANDS:
        # For ten minutes dlt does not look again.
        monkeypatch.setattr(GcpDefaultCredentials, "_LAST_FAILED_DEFAULT", 0.0)
        result = run(*words)
        said = (result.stdout + result.stderr).splitlines()
        start = next((at for at, line in enumerate(said) if "No credentials for" in line), None)
        assert start is not None, (words, said)
        assert result.returncode != 0
        more = list(takewhile(lambda line: line.startswith("  "), said[start + 1 :]))
        assert 1 <= len(more) <= 4, (words, said)
        assert "Environment Variables" not in "\n".join(said)
        assert not [line for line in said if "Traceback" in line]
