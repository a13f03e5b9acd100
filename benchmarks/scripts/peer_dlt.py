"""A month of Parquet parts into DuckDB by dlt, three ways: WAY DATABASE FOLDER.

default: the filesystem source and `read_parquet`, as documented. arrow: Arrow tables, batch by
batch. file: the parts are handed over as they are, by `with_file_import`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.filesystem import filesystem, read_parquet

way, database, folder = sys.argv[1:]
parts = sorted(str(path) for path in Path(folder).rglob("*.parquet"))


@dlt.resource(name="bill", write_disposition="replace")
def arrow_batches() -> Iterator[Any]:
    """The parts as Arrow batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for part in parts:
        for batch in pq.ParquetFile(part).iter_batches(batch_size=100_000):
            yield pa.Table.from_batches([batch])


@dlt.resource(name="bill", write_disposition="replace")
def whole_files() -> Iterator[Any]:
    """The parts as they are."""
    import pyarrow.parquet as pq

    for part in parts:
        schema = pq.read_schema(part)
        yield dlt.mark.with_file_import(part, "parquet", hints=schema.empty_table())


resource: Any
if way == "default":
    found = filesystem(bucket_url=Path(folder).as_uri(), file_glob="**/*.parquet")
    resource = (found | read_parquet()).with_name("bill")
    resource.apply_hints(write_disposition="replace")
else:
    resource = arrow_batches() if way == "arrow" else whole_files()
pipeline = dlt.pipeline(
    f"peer_{way}", destination=dlt.destinations.duckdb(database), dataset_name="billing"
)
if way == "default":
    pipeline.run(resource)
else:
    pipeline.run(resource, loader_file_format="parquet")
