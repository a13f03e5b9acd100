"""Compares rows and cost totals of a table with what was written: DATABASE TABLE TRUTH.

Columns are found by their letters and digits alone, for a loader may rename `lineItem/BlendedCost`.
Sums are made in decimals here, whatever the table's types are, so a rounded value shows.
"""

import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

CURRENCIES = ("billingcurrency", "lineitemcurrencycode")


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def differences(database: str, table: str, truth_path: str) -> list[str]:
    """What a table holds that was not written, and the other way about."""
    truth = json.loads(Path(truth_path).read_text())
    with duckdb.connect(database, read_only=True) as connection:
        relation = connection.sql(f"SELECT * FROM {table}")  # noqa: S608 our own
        names = {plain(name): name for name in relation.columns}
        found: list[str] = []
        rows = relation.count("*").fetchall()[0][0]
        if rows != truth["rows"]:
            found.append(f"{rows} rows, not {truth['rows']}")
        currency = next((names[name] for name in CURRENCIES if name in names), None)
        if currency is None:
            return [*found, "no column of a currency"]
        for code, amounts in truth["totals"].items():
            month = relation.filter(f"\"{currency}\" = '{code}'")
            for column, amount in amounts.items():
                name = names.get(plain(column))
                if name is None:
                    found.append(f"no column {column}")
                    continue
                held = month.aggregate(f'sum(CAST("{name}" AS DECIMAL(38,18)))').fetchall()[0][0]
                if held is None or Decimal(held) != Decimal(amount):
                    found.append(f"{column} in {code}: {held}, not {amount}")
    return found


if __name__ == "__main__":
    found = differences(*sys.argv[1:])
    if found:
        sys.exit("\n".join(found))
    print("equal")
