"""A CSV export in the form in which Azure writes it: 96 columns, and amounts of 28 digits."""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudbill.sample.azure.columns import AZURE_COLUMNS
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

CONFIG = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
EXACT = Context(prec=100)
ROWS = 320


def amount(seed: random.Random) -> str:
    """An amount as the division of two decimals writes it: 28 digits behind the point, or few."""
    if seed.random() < 0.1:
        return seed.choice(["0", "12.5", "-3", "0.000000735545672254533022"])
    sign = seed.choice(["", "", "-"])
    return f"{sign}{seed.choice([0, 0, 7, 1204])}.{seed.randrange(10**28):028d}"


def cell(kind: str, seed: random.Random) -> str:
    if kind.startswith("DECIMAL"):
        return amount(seed)
    if kind == "TIMESTAMPTZ":
        return "2025-10-01T00:00:00Z"
    if kind == "BOOLEAN":
        return seed.choice(["True", "False", ""])
    return '"{""team"":""a, b""}"' if seed.random() < 0.01 else "text"


@pytest.fixture
def written(tmp_path: Path) -> list[dict[str, str]]:
    """Writes the export and its configuration; gives the cells of each row."""
    seed = random.Random(28)
    rows = [
        {name: cell(kind, seed) for name, kind in AZURE_COLUMNS.items()}
        | {"BillingCurrency": "EUR"}
        for _ in range(ROWS)
    ]
    lines = [",".join(AZURE_COLUMNS), *(",".join(row.values()) for row in rows)]
    home = tmp_path / "exports/billing/focus-daily/20251001-20251031/202510280400/run-1"
    home.mkdir(parents=True)
    part = home / "part_0_0001.csv"
    part.write_bytes(b"\xef\xbb\xbf" + "\n".join(lines).encode() + b"\n")
    document = {
        "manifestVersion": "2024-04-01",
        "blobCount": 1,
        "dataRowCount": ROWS,
        "exportConfig": {"type": "FocusCost", "dataVersion": "1.0r2"},
        "runInfo": {
            "runId": "run-1",
            "submittedTime": "2025-10-28T04:00:00Z",
            "startDate": "2025-10-01T00:00:00",
            "endDate": "2025-10-31T00:00:00",
        },
        "blobs": [
            {
                "blobName": "focus-daily/20251001-20251031/202510280400/run-1/part_0_0001.csv",
                "byteCount": part.stat().st_size,
                "dataRowCount": ROWS,
            }
        ],
    }
    (home / "manifest.json").write_text(json.dumps(document))
    configure(tmp_path, CONFIG)
    return rows


def exact(rows: list[dict[str, str]], column: str) -> Decimal:
    total = Decimal(0)
    for row in rows:
        total = EXACT.add(total, Decimal(row[column]))
    return total


def test_it_loads_is_equal_and_shows_what_was_rounded_away(
    run: Run, written: list[dict[str, str]], tmp_path: Path
) -> None:
    loaded = run("load", "--json")
    assert loaded.returncode == 0, loaded.stderr
    (load,) = json.loads(loaded.stdout)["loads"]
    assert load["rows"] == ROWS

    verified = run("verify", "--json")
    assert verified.returncode == 0
    (month,) = json.loads(verified.stdout)["months"]
    assert month["result"] == "equal"
    for column in COSTS:
        in_table = Decimal(load["totals"]["EUR"][column])
        rest = Decimal(month["rounded_away"]["EUR"][column])
        assert rest
        assert EXACT.add(in_table, rest) == exact(written, column)
    (told,) = json.loads(run("history", "--json").stdout)["months"]
    of_costs = {column: month["rounded_away"]["EUR"][column] for column in COSTS}
    assert told["loads"][0]["rounded_away"] == {"EUR": of_costs}
    assert "Rounded away at the 18th digit: BilledCost " in run("verify").stdout
    assert run("load", "--json").returncode == 0

    with duckdb.connect(str(tmp_path / "cloudbill.duckdb"), read_only=True) as database:
        prices = database.sql("SELECT ListUnitPrice FROM billing.azure_focus_billing_data")
        expected = [
            Decimal(row["ListUnitPrice"]).quantize(Decimal(1).scaleb(-18), ROUND_HALF_UP, EXACT)
            for row in written
        ]
        assert sorted(price for (price,) in prices.fetchall()) == sorted(expected)
