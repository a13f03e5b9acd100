"""A path under which DuckDB cannot keep a file is refused, with the character that is in it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from cloudbill.errors import ConfigError
from cloudbill.providers import azure_focus
from cloudbill.settings import SourceSettings, read_source
from cloudbill.warehouses.duckdb.opening import connect

SIGNS = pytest.mark.parametrize("sign", ["?", "\\"])


def read(**given: str) -> SourceSettings:
    """A source of these settings."""
    return read_source(
        "azure_billing", azure_focus, [], {"bucket": "b", "export_name": "e", **given}
    )


@SIGNS
def test_a_name_that_duckdb_cannot_take_is_refused_when_it_is_read(sign: str) -> None:
    name = f"a{sign}b/bills.duckdb"
    with pytest.raises(ConfigError, match=rf"'database' .*'{re.escape(sign)}' is in its path"):
        read(database=name)
    # BigQuery needs no file.
    assert read(database=name, project_id="acme-project").project_id == "acme-project"


@SIGNS
def test_a_folder_that_duckdb_cannot_take_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    folder = tmp_path / f"a{sign}b"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=rf"'{re.escape(sign)}' is in its path; choose"):
        connect(
            read(database="bills.duckdb").database,
            read_only=False,
            timeout_s=0,
            storage_version="latest",
        )
    assert list(folder.iterdir()) == []
    # DuckDB itself fails only when something is to be kept.
    with pytest.raises(duckdb.Error), duckdb.connect(str(folder / "bills.duckdb")) as connection:
        connection.execute("CREATE TABLE one AS SELECT 1 AS one")
