"""Times a query of the FOCUS view beside one of the table: DATABASE BY AMOUNT PERIOD ROUNDS.

Prints the seconds of each round, each without what DuckDB takes to plan the query, and whether both
answers have the same sum.
"""

import json
import sys
import time

import duckdb

MONTH = "TIMESTAMP '2025-10-01'"


def main(database: str, by: str, amount: str, period: str, rounds: str) -> None:
    """Runs the two queries in turn, in reverse order in every second round."""
    view = (
        "SELECT ServiceCategory, BillingCurrency, sum(EffectiveCost) FROM billing.focus "  # noqa: S608 our own
        f"WHERE BillingPeriodStart = {MONTH} GROUP BY ALL"
    )
    table = f"SELECT {by}, sum({amount}) FROM billing.bill WHERE {period} = {MONTH} GROUP BY ALL"  # noqa: S608
    with duckdb.connect(database, read_only=True) as connection:

        def seconds(query: str) -> float:
            began = time.perf_counter()
            connection.execute(query).fetchall()
            return time.perf_counter() - began

        def worked(query: str) -> tuple[float, float]:
            planned = min(seconds(f"EXPLAIN {query}") for _ in range(5))
            return max(min(seconds(query) for _ in range(5)) - planned, 1e-4), planned

        sums = [
            sum(row[-1] for row in connection.execute(query).fetchall()) for query in (view, table)
        ]
        told = []
        for round_ in range(int(rounds)):
            sides = [("view", view), ("table", table)]
            taken = {name: worked(query) for name, query in sides[:: -1 if round_ % 2 else 1]}
            told.append({name: {"s": one, "plan_s": plan} for name, (one, plan) in taken.items()})
    print(json.dumps({"rounds": told, "is_exact": sums[0] == sums[1]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
