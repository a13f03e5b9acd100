"""What is paid with nothing to load: start-up, a run without news, a listing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data
from benchmarks.data import Workspace, configure
from benchmarks.figures import Figure, Options, resources, times
from benchmarks.processes import CLOUDBILL, PYTHON, Command, Spread, interleave, python, run
from benchmarks.proxy import Proxy, Seen, most_at_once

__all__ = ["listing", "no_op", "startup"]

_LATENCY_S = 0.03


def startup(options: Options) -> Iterator[Figure]:
    """`cloudbill --help`."""
    taken = interleave(
        {
            "help": Command(words=(CLOUDBILL, "--help")),
            "typer": Command(words=(PYTHON, "-c", "import typer")),
        },
        options.runs * 3,
    )
    ratios = [
        one / other for one, other in zip(times(taken["help"]), times(taken["typer"]), strict=True)
    ]
    yield Figure(
        name="startup.help",
        value=Spread.of(ratios),
        runs={side: resources(taken[side]) for side in taken},
    )


def no_op(options: Options) -> Iterator[Figure]:
    """A second run: its time from a local folder, and what it reads from an emulated store."""
    export = data.azure(
        options.scratch, rows=40, months=options.months, runs=options.runs_per_month
    )
    space = configure(options.scratch, "no-op", export)
    run(space.no_op())  # loads every month
    bare = Command(
        words=python("bare_dlt", str(space.folder / "bare.duckdb")).words,
        folder=space.folder,
        env={"DLT_DATA_DIR": str(space.folder / "dlt")},
    )
    run(bare)
    taken = interleave({"no_op": space.no_op(), "bare_dlt": bare}, options.runs)
    ratios = [
        one / other
        for one, other in zip(times(taken["no_op"]), times(taken["bare_dlt"]), strict=True)
    ]
    about = {"months": options.months, "runs": options.months * options.runs_per_month}
    yield Figure(
        name="no_op.time",
        value=Spread.of(ratios),
        about=about,
        exact=data.check_totals(space.database, space.table, export),
        runs={side: resources(taken[side]) for side in taken},
    )
    yield _read_again(options, export)


def _read_again(options: Options, export: data.Export) -> Figure:
    from benchmarks.stores import BUCKET, memory_store, stored_tree, upload

    with memory_store() as store, Proxy(store.url) as proxy:
        upload(store.port, stored_tree(export.tree))
        space = configure(options.scratch, "no-op-remote", export, bucket=BUCKET)
        env = {"STORAGE_EMULATOR_HOST": proxy.url}
        run(space.no_op(env))
        first = _manifests(proxy.take())
        run(space.no_op(env))
        seen = proxy.take()
    return Figure(
        name="no_op.manifests_read_again",
        value=Spread.of([len(_manifests(seen))]),
        about={
            "runs": options.months * options.runs_per_month,
            "manifests_read_first": len(first),
            "list_requests": sum(one.is_listing for one in seen),
            "other_requests": sum(not one.is_listing for one in seen) - len(_manifests(seen)),
        },
        exact=data.check_totals(space.database, space.table, export),
    )


def _manifests(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if one.reads("manifest.json")]


def listing(options: Options) -> Iterator[Figure]:
    """A listing of many objects, a fifth of them manifests, each answer after 30 ms."""
    from benchmarks.stores import BUCKET, memory_store, upload

    export = data.azure(options.scratch, rows=40)
    space = configure(options.scratch, "listing", export, bucket=BUCKET)
    with memory_store() as store, Proxy(store.url, latency_s=_LATENCY_S) as proxy:
        upload(store.port, many_runs(export.tree, options.objects))
        pages, objects = store.names("billing/focus-daily/")
        measured = run(_plan(space, proxy))
        seen = proxy.take()
    about: dict[str, str | int | float] = {
        "objects": objects,
        "pages": pages,
        "list_requests": sum(one.is_listing for one in seen),
        "manifests_read": len(_manifests(seen)),
        "latency_ms": round(1000 * _LATENCY_S),
        "wall_s": round(measured.wall_s, 2),
        "peak_bytes": measured.peak_bytes,
        "runs_found": len(json.loads(measured.output)["skips"]) + 1,
    }
    extra = sum(one.is_listing for one in seen) - pages
    yield Figure(name="listing.requests_over_pages", value=Spread.of([float(extra)]), about=about)
    yield Figure(
        name="listing.concurrent_reads",
        value=Spread.of([float(most_at_once(_manifests(seen)))]),
        about=about,
    )


def _plan(space: Workspace, proxy: Proxy) -> Command:
    """Discovers and plans; nothing is loaded."""
    env = {"STORAGE_EMULATOR_HOST": proxy.url}
    return space.command("load", space.section, "--dry-run", "--json", env=env)


def many_runs(tree: Path, objects: int) -> list[tuple[str, bytes | Path]]:
    """A month's export with so many objects: runs of four empty parts and a manifest each."""
    manifest = json.loads(next(tree.rglob("manifest.json")).read_text())
    month = "billing/focus-daily/20251001-20251031"
    made: list[tuple[str, bytes | Path]] = []
    for index in range(objects // 5):
        run_id = f"00000000-0000-4000-8000-{index:012d}"
        minute = f"2025-10-{1 + index // 1440 % 28:02d}T{index // 60 % 24:02d}:{index % 60:02d}:00Z"
        folder = f"{month}/{minute[:16].translate({45: None, 58: None, 84: None})}/{run_id}"
        names = [f"{folder}/part_{part}_0001.snappy.parquet" for part in range(4)]
        made += [(name, b"PAR1") for name in names]
        blobs = [{"blobName": name, "byteCount": 4, "dataRowCount": 10} for name in names]
        told = manifest | {
            "blobs": blobs,
            "blobCount": 4,
            "byteCount": 16,
            "dataRowCount": 40,
            "runInfo": manifest["runInfo"] | {"runId": run_id, "submittedTime": minute},
        }
        made.append((f"{folder}/manifest.json", json.dumps(told).encode()))
    return made
