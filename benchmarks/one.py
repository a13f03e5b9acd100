"""Runs one benchmark and writes its figures: `python -m benchmarks.one NAME OPTIONS RESULT`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks import clouds, loading, scale, standing, viewing
from benchmarks.figures import Figure, Options, as_json

__all__ = ["BENCHMARKS"]

BENCHMARKS: Final[dict[str, Callable[[Options], Iterator[Figure]]]] = {
    "startup": standing.startup,
    "no_op": standing.no_op,
    "azure_duckdb": loading.azure_duckdb,
    "doubles_duckdb": loading.doubles_duckdb,
    "aws_duckdb": loading.aws_duckdb,
    "aws_forms_duckdb": loading.aws_forms_duckdb,
    "memory": loading.memory,
    "remote": clouds.remote,
    "bigquery": clouds.bigquery,
    "listing": standing.listing,
    "peers": loading.peers,
    "focus_view": viewing.focus_view,
    "scale": scale.scale,
}


def main() -> None:
    """Writes what there is after each figure, so that a later failure does not lose it."""
    name, given, result = sys.argv[1:]
    values = json.loads(given)
    values["scratch"] = Path(values["scratch"])
    values["memory_rows"] = tuple(values["memory_rows"])
    figures: list[dict[str, object]] = []
    for figure in BENCHMARKS[name](Options(**values)):
        figures.append(as_json(figure))
        Path(result).write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
