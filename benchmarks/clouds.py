"""Over a network: remote parts into DuckDB, and a backfill into BigQuery, both emulated."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from benchmarks import data
from benchmarks.data import check_totals, configure
from benchmarks.figures import Figure, Options, resources, times
from benchmarks.processes import ROOT, Measured, Spread, run
from benchmarks.proxy import Proxy, Seen, most_at_once
from benchmarks.stores import BUCKET, memory_store, stored_tree, upload

__all__ = ["bigquery", "remote"]

_PARTS: Final = 16
_DOWNLOADS: Final = 4
_LATENCY_S: Final = 0.03
_FOOTER_BYTES: Final = 128 * 1024
_JOB_S: Final = 0.5


def remote(options: Options) -> Iterator[Figure]:
    """A line that takes as long for the parts as DuckDB does: the worst case for taking turns."""
    export = data.azure(options.scratch, rows=options.remote_rows, parts=_PARTS)
    local = configure(options.scratch, "remote-local", export)
    far = configure(options.scratch, "remote-far", export, bucket=BUCKET)
    with memory_store() as store, Proxy(store.url, latency_s=_LATENCY_S) as proxy:
        upload(store.port, stored_tree(export.tree))
        env = {"STORAGE_EMULATOR_HOST": proxy.url}
        run(far.load(env))
        run(local.load())
        # The first run above loads into an empty file; this one replaces, as all that follow.
        load_s = times([run(local.load())], [run(local.no_op())])[0]
        proxy.bytes_per_s = export.size / max(load_s, 0.1)
        taken: dict[str, list[Measured]] = {
            name: [] for name in ("far", "far_no_op", "local", "local_no_op")
        }
        downloads: list[float] = []
        for _ in range(options.runs):
            downloads.append(_download(proxy, export))
            taken["far"].append(run(far.load(env)))
            taken["far_no_op"].append(run(far.no_op(env)))
            taken["local"].append(run(local.load()))
            taken["local_no_op"].append(run(local.no_op()))
        speed = proxy.bytes_per_s
    loads = times(taken["local"], taken["local_no_op"])
    ratios = [
        both / max(one, other)
        for both, one, other in zip(
            times(taken["far"], taken["far_no_op"]), downloads, loads, strict=True
        )
    ]
    yield Figure(
        name="remote.time",
        value=Spread.of(ratios),
        about={
            "rows": export.rows,
            "bytes": export.size,
            "parts": len(export.parts),
            "bytes_per_s": round(speed),
            "latency_ms": round(1000 * _LATENCY_S),
            "download_s": round(Spread.of(downloads).median, 2),
            "load_s": round(Spread.of(loads).median, 2),
        },
        exact=check_totals(far.database, far.table, export),
        runs={side: resources(taken[side]) for side in taken},
    )


def _download(proxy: Proxy, export: data.Export) -> float:
    """Seconds that the parts alone take, four at a time."""

    def fetch(name: str) -> None:
        connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=120)
        path = f"/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}?alt=media"
        connection.request("GET", path)
        while connection.getresponse().read():
            break
        connection.close()

    names = [part.relative_to(export.tree).as_posix() for part in export.parts]
    began = time.perf_counter()
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        list(pool.map(fetch, names))
    return time.perf_counter() - began


def bigquery(options: Options) -> Iterator[Figure]:
    """A backfill: each load job takes half a second longer than the emulator needs for it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from emulators.bigquery import BigQueryEmulator
    from emulators.gcs import GcsEmulator

    export = data.azure(options.scratch, rows=options.backfill_rows, months=options.months)
    root = Path(options.scratch, "work", "buckets")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    gcs = GcsEmulator.start(root)
    emulator = BigQueryEmulator.start(root)
    try:
        gcs.create_bucket(BUCKET)
        gcs.upload_tree(export.tree, BUCKET)
        with Proxy(gcs.url) as store, _SlowJobs(emulator.url) as warehouse:
            space = configure(options.scratch, "backfill", export, bucket=BUCKET, project_id="acme")
            env = {"STORAGE_EMULATOR_HOST": store.url, "BIGQUERY_EMULATOR_HOST": warehouse.url}
            measured = run(space.command("load", "azure", "--json", env=env))
            jobs = [one for one in warehouse.take() if _is_month(one)]
            read = [one for one in store.take() if one.reads(".parquet")]
        is_exact = _check(emulator.client("acme"), export)
    finally:
        emulator.stop()
        gcs.stop()
    yield from _backfill_figures(export, measured, jobs, read, is_exact=is_exact)
    yield from _large_footers(options)


def _large_footers(options: Options) -> Iterator[Figure]:
    """The footer of a part grows with its row groups, so it is asked of the large month as well.

    The client reads 64 KB, and where the footer is longer, the footer.
    """
    export = data.azure(options.scratch, rows=options.rows)
    lengths: list[int] = []
    for part in export.parts:
        with part.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            lengths.append(int.from_bytes(file.read(4), "little"))
    yield Figure(
        name="bigquery.footer_of_large_part",
        value=Spread.of([float(length) for length in lengths]),
        about={"rows_of_part": export.rows // len(lengths)},
    )


class _SlowJobs(Proxy):
    """Each month's job takes a while, and so do no other requests."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)

    def delay(self, method: str, path: str, body: bytes) -> float:
        """Half a second for the job of a month."""
        return _JOB_S if method == "POST" and path.endswith("/jobs") and b"$20" in body else 0.0


def _is_month(seen: Seen) -> bool:
    return seen.method == "POST" and seen.path.endswith("/jobs") and b"$20" in seen.request


def _check(client: object, export: data.Export) -> bool:
    """Whether the table holds what was written; asked past the code under test."""
    truth = json.loads(export.truth.read_text())
    ask = client.query  # type: ignore[attr-defined]
    for currency, amounts in truth["totals"].items():
        sums = ", ".join(f"SUM({column})" for column in amounts)
        (row,) = ask(
            f"SELECT {sums} FROM billing.bill "  # noqa: S608 our own
            f"WHERE BillingCurrency = '{currency}'"
        ).result()
        if [Decimal(value) for value in row.values()] != [*map(Decimal, amounts.values())]:
            return False
    (row,) = ask("SELECT COUNT(*) FROM billing.bill").result()
    return bool(row[0] == truth["rows"])


def _backfill_figures(
    export: data.Export,
    measured: Measured,
    jobs: list[Seen],
    read: list[Seen],
    *,
    is_exact: bool,
) -> Iterator[Figure]:
    of_part: Counter[str] = Counter()
    for one in read:
        of_part[one.path] += one.response_bytes
    sequential_s = sum(one.ended - one.began for one in jobs)
    spanned_s = max(one.ended for one in jobs) - min(one.began for one in jobs)
    about: dict[str, str | int | float] = {
        "months": len(jobs),
        "rows": export.rows * len(jobs),
        "bytes": export.size,
        "parts": len(export.parts),
        "wall_s": round(measured.wall_s, 2),
        "jobs_one_after_the_other_s": round(sequential_s, 2),
        "jobs_as_they_ran_s": round(spanned_s, 2),
    }
    yield Figure(
        name="bigquery.jobs_in_flight",
        value=Spread.of([float(most_at_once(jobs))]),
        about=about,
        exact=is_exact,
    )
    beyond = sum(max(0, size - _FOOTER_BYTES) for size in of_part.values())
    yield Figure(
        name="bigquery.data_bytes",
        value=Spread.of([float(beyond)]),
        about={"bytes": export.size, "bytes_read": of_part.total()},
    )
    yield Figure(
        name="bigquery.footer_bytes",
        value=Spread.of([float(max(of_part.values(), default=0))]),
        about={
            "parts": len(of_part),
            "smallest_part_bytes": min(part.stat().st_size for part in export.parts),
        },
    )
