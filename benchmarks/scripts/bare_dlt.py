"""A dlt pipeline run that does nothing: DATABASE."""

import sys
from collections.abc import Iterator

import dlt


@dlt.resource(name="nothing")
def nothing() -> Iterator[object]:
    """Yields nothing."""
    yield from ()


pipeline = dlt.pipeline(
    "bare", destination=dlt.destinations.duckdb(sys.argv[1]), dataset_name="nothing"
)
pipeline.run(nothing())
