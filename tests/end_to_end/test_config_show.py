"""`config show` says where each value comes from, shows no secret, and works where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudbill.settings.keys import KEYS
from end_to_end.conftest import Run, configure

CONFIG = """
[sources]
dataset = "bills"
[sources.azure_billing]
bucket = "az://user:hush@bills?sv=1&sig=hush"
export_name = "focus-daily"
totals = false
[sources.azure_billing.second]
export_name = "focus-second"
table_name = "second"
memory_limit = "much"
"""
SECRETS = """
[sources.azure_billing]
scope = "hush"
[sources.credentials]
azure_storage_account_key = "hush"
"""


def shown(run: Run, *words: str, **env: str) -> dict[str, dict[str, Any]]:
    """The keys of the one source that is shown."""
    (source,) = json.loads(run("config", "show", *words, "--json", env=env).stdout)["sources"]
    return {key.pop("key"): key for key in source["keys"]}


def test_each_value_has_its_place_and_secrets_are_hidden(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, CONFIG)
    (tmp_path / ".dlt/secrets.toml").write_text(SECRETS)
    env = {
        "SOURCES__AZURE_BILLING__SECOND__PREFIX": "exports",
        "SOURCES__CREDENTIALS__AZURE_STORAGE_ACCOUNT_NAME": "hush",
    }

    keys = shown(run, "azure_billing.second", **env)

    places = {
        name: (keys[name]["value"], keys[name]["from"], keys[name]["where"])
        for name in ("bucket", "prefix", "dataset", "totals", "scope", "database")
    }
    assert places == {
        "bucket": (
            "az://[redacted]@bills?[redacted]",
            "file",
            "config.toml, [sources.azure_billing]",
        ),
        "prefix": ("exports", "environment", "SOURCES__AZURE_BILLING__SECOND__PREFIX"),
        "dataset": ("bills", "file", "config.toml, [sources]"),
        "totals": ("false", "file", "config.toml, [sources.azure_billing]"),
        "scope": ("[redacted]", "file", "secrets.toml, [sources.azure_billing]"),
        "database": ("cloudbill.duckdb", "default", None),
    }
    assert [*keys] == [
        *(key.name for key in KEYS),
        "credentials.azure_storage_account_name",
        "credentials.azure_storage_account_key",
    ]
    text = run("config", "show", env=env)
    assert "hush" not in json.dumps(keys) + text.stdout + text.stderr


def test_a_fault_is_said_at_its_key_and_the_rest_is_shown(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, CONFIG)

    result = run("config", "show")

    assert result.returncode == 2
    assert result.stdout.count("Fault:") == 1
    assert "Fault: 'memory_limit' must be a size above zero" in result.stdout
    assert run("config", "show", "azure_billing.second").returncode == 2


def test_a_fault_of_no_known_key_is_said_at_its_source(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, "[sources.aws_billing]\nbuket = 'b'\nexport_name = 'e'\n")

    result = run("config", "show", "--json")

    (source,) = json.loads(result.stdout)["sources"]
    assert result.returncode == 2
    assert "Did you mean 'bucket'?" in source["fault"]
    assert source["keys"][0] == {
        "key": "bucket",
        "value": None,
        "from": "missing",
        "where": None,
        "fault": "is missing",
    }


def test_without_a_source_it_says_how_to_begin(run: Run) -> None:
    result = run("config", "show")

    assert result.returncode == 2
    assert "`cloudbill init`" in result.stderr
