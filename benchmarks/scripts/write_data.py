"""Writes an export and what it holds: KIND FOLDER ROWS MONTHS PARTS RUNS."""

import gzip
import json
import shutil
import sys
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from cloudbill.sample import AwsForm, WrittenRun, write_aws, write_azure

_SEED = 7
_SPLIT = (
    "COPY (SELECT * FROM read_parquet($files) LIMIT {rows} OFFSET {start}) TO '{target}' "
    "(FORMAT parquet, COMPRESSION snappy)"
)


def main() -> None:
    """Writes the tree, then `truth.json`, whose presence says that all is there."""
    kind, target, *numbers = sys.argv[1:]
    folder = Path(target)
    rows, months, parts, copies = map(int, numbers)
    if kind in {"azure", "doubles", "aws"}:
        write = write_aws if kind == "aws" else write_azure
        runs = write(folder / "tree", months=months, rows=rows, seed=_SEED, runs_per_month=1)
    else:
        runs = write_form(folder / "tree", AwsForm(kind), months=months, rows=rows)
    for run in runs if parts else ():
        if parts > len(run.part_paths):
            split(run, parts)
        elif parts == 1 and kind == "aws":
            join(run)
    for run in runs:
        for index in range(1, copies):
            add_older(folder / "tree", run, index)
    totals = added(runs)
    if kind == "doubles":
        for run in runs:
            make_doubles(run)
        totals = sums_of_doubles(folder / "tree", totals)
    truth = {"rows": sum(run.rows for run in runs), "totals": totals}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def write_form(tree: Path, form: AwsForm, *, months: int, rows: int) -> tuple[WrittenRun, ...]:
    """Writes the AWS bill in another form, with the parts that the sample gives it."""
    return write_aws(
        tree,
        months=months,
        rows=rows,
        seed=_SEED,
        runs_per_month=1,
        form=form,
        report_name="bill",
        prefix="bills",
    )


def added(runs: tuple[WrittenRun, ...]) -> dict[str, dict[str, str]]:
    """The exact totals over all runs, as text."""
    totals: dict[str, dict[str, Any]] = {}
    for run in runs:
        for currency, amounts in run.totals.items():
            held = totals.setdefault(currency, {})
            for column, amount in amounts.items():
                held[column] = held.get(column, 0) + amount
    return {
        currency: {column: format(amount, "f") for column, amount in amounts.items()}
        for currency, amounts in totals.items()
    }


def split(run: WrittenRun, parts: int) -> None:
    """Writes the rows of a run into so many parts, as large exports are delivered."""
    manifest = json.loads(run.manifest_path.read_text())
    stem = manifest["blobs"][0]["blobName"].rpartition("/")[0]
    files = [str(path) for path in run.part_paths]
    folder = run.manifest_path.parent
    blobs: list[dict[str, str | int]] = []
    with duckdb.connect() as connection:
        for index in range(parts):
            start = run.rows * index // parts
            rows = run.rows * (index + 1) // parts - start
            target = folder / f"new_{index:04d}.parquet"
            statement = _SPLIT.format(rows=rows, start=start, target=target)
            connection.execute(statement, {"files": files})
            name = f"{stem}/part_{index}_0001.snappy.parquet"
            blobs.append(
                {"blobName": name, "byteCount": target.stat().st_size, "dataRowCount": rows}
            )
    size = sum(file.stat().st_size for file in folder.glob("new_*"))
    for path in run.part_paths:
        path.unlink()
    for index in range(parts):
        name = f"part_{index}_0001.snappy.parquet"
        (folder / f"new_{index:04d}.parquet").rename(folder / name)
    manifest |= {"blobs": blobs, "blobCount": parts, "byteCount": size}
    run.manifest_path.write_text(json.dumps(manifest, indent=2))


def join(run: WrittenRun) -> None:
    """Puts the rows of all parts of a report into the first, as smaller reports are delivered."""
    first, *others = run.part_paths
    whole = first.with_suffix(".new")
    with gzip.open(whole, "wb", compresslevel=6) as target:
        for part in run.part_paths:
            with gzip.open(part) as source:
                if part != first:
                    source.readline()  # the header, which has no line break in it
                shutil.copyfileobj(source, target, 1024 * 1024)
    whole.replace(first)
    for part in others:
        part.unlink()
    name = run.manifest_path.name
    for path in {run.manifest_path, first.parent / name, first.parent.parent / name}:
        manifest = json.loads(path.read_text())
        manifest["reportKeys"] = manifest["reportKeys"][:1]
        path.write_text(json.dumps(manifest, indent=2))


def make_doubles(run: WrittenRun) -> None:
    """Makes doubles of all decimals of a run, as AWS writes its amounts in Parquet."""
    manifest = json.loads(run.manifest_path.read_text())
    with duckdb.connect() as connection:
        for blob in manifest["blobs"]:
            file = run.manifest_path.parent / blob["blobName"].rpartition("/")[2]
            columns = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet($file)", {"file": str(file)}
            ).fetchall()
            doubles = ", ".join(
                f'CAST("{name}" AS DOUBLE) AS "{name}"'
                for name, kind, *_ in columns
                if kind.startswith("DECIMAL")
            )
            new = file.with_suffix(".new")
            connection.execute(
                f"COPY (SELECT * REPLACE ({doubles}) FROM read_parquet('{file}')) "  # noqa: S608
                f"TO '{new}' (FORMAT parquet, COMPRESSION snappy)"
            )
            new.replace(file)
            blob["byteCount"] = file.stat().st_size
    manifest["byteCount"] = sum(blob["byteCount"] for blob in manifest["blobs"])
    run.manifest_path.write_text(json.dumps(manifest, indent=2))


def sums_of_doubles(tree: Path, columns: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The totals of the same columns, each double taken for what its shortest text says."""
    found: dict[str, dict[str, str]] = {}
    with duckdb.connect() as connection:
        charges = connection.sql(f"SELECT * FROM read_parquet('{tree}/**/*.parquet')")  # noqa: S608
        for currency, amounts in columns.items():
            rows = charges.filter(f"BillingCurrency = '{currency}'")
            sums = ", ".join(
                f'sum(CAST(CAST("{name}" AS VARCHAR) AS DECIMAL(38,18)))' for name in amounts
            )
            (totals,) = rows.aggregate(sums).fetchall()
            found[currency] = {
                name: format(total, "f") for name, total in zip(amounts, totals, strict=True)
            }
    return found


def add_older(tree: Path, run: WrittenRun, index: int) -> None:
    """Adds a run that was submitted before another one, and has its parts."""
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run.run_id} {index}"))
    submitted = run.submitted_at - timedelta(hours=index)
    old_folder = run.manifest_path.parent
    folder = old_folder.parent.parent / submitted.strftime("%Y%m%d%H%M") / run_id
    folder.mkdir(parents=True)
    manifest = json.loads(run.manifest_path.read_text())
    manifest["runInfo"] |= {"runId": run_id, "submittedTime": f"{submitted:%Y-%m-%dT%H:%M:%S}Z"}
    for blob in manifest["blobs"]:
        name = blob["blobName"].rpartition("/")[2]
        blob["blobName"] = (folder / name).relative_to(tree).as_posix()
        shutil.copy2(old_folder / name, folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    assert datetime.fromisoformat(manifest["runInfo"]["submittedTime"]) < run.submitted_at


if __name__ == "__main__":
    main()
