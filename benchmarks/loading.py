"""A month from local files into DuckDB: against floors, against peers, and by its size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import data
from benchmarks.data import Export, Workspace, check_totals, configure
from benchmarks.figures import Figure, Options, resources, times
from benchmarks.processes import EMPTY, Command, Measured, Spread, interleave, python, run

__all__ = ["aws_duckdb", "aws_forms_duckdb", "azure_duckdb", "doubles_duckdb", "memory", "peers"]


def _ratios(above: list[float], below: list[float]) -> Spread:
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def _ready(space: Workspace) -> None:
    """Loads the month once, so that all that is measured replaces it."""
    run(space.load())


def _fresh(scratch: Path, name: str) -> Path:
    path = scratch / "work" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path / "floor.duckdb"


def _about(export: Export) -> dict[str, str | int | float]:
    return {"rows": export.rows, "bytes": export.size, "parts": len(export.parts)}


def _cpu(
    load: list[Measured], no_op: list[Measured], floor: list[Measured], empty: list[Measured]
) -> dict[str, float]:
    """The same ratio of CPU seconds, which other processes disturb less."""
    load_s, no_op_s, floor_s, empty_s = (
        Spread.of([one.cpu_s for one in runs]).median for runs in (load, no_op, floor, empty)
    )
    return {"cpu_ratio": round((load_s - no_op_s) / max(floor_s - empty_s, 0.001), 2)}


def azure_duckdb(options: Options) -> Iterator[Figure]:
    """Parquet parts, with and without the totals, against a script."""
    export = data.azure(options.scratch, rows=options.rows)
    plain = configure(options.scratch, "azure-plain", export, totals=False)
    summed = configure(options.scratch, "azure-summed", export)
    floor = _fresh(options.scratch, "azure-floor")
    script = python("floor_azure", str(floor), *map(str, export.parts))
    _ready(plain)
    _ready(summed)
    run(script)
    taken = interleave(
        {
            "floor": script,
            "totals_off": plain.load(),
            "totals_on": summed.load(),
            "no_op": summed.no_op(),
            "empty": EMPTY,
        },
        options.runs,
    )
    is_floor_exact = check_totals(floor, "bill", export)
    floor_s = times(taken["floor"], taken["empty"])
    for name, space in (("totals_off", plain), ("totals_on", summed)):
        yield Figure(
            name=f"azure_duckdb.{name}",
            value=_ratios(times(taken[name], taken["no_op"]), floor_s),
            about=_about(export)
            | {"database_bytes": space.database.stat().st_size}
            | _cpu(taken[name], taken["no_op"], taken["floor"], taken["empty"]),
            exact=is_floor_exact and check_totals(space.database, space.table, export),
            runs={side: resources(taken[side]) for side in (name, "no_op", "floor", "empty")},
        )
    yield Figure(
        name="azure_duckdb.peak_memory",
        value=Spread.of([one.peak_bytes for one in taken["totals_on"]]),
        about=_about(export),
    )


def aws_duckdb(options: Options) -> Iterator[Figure]:
    """Gzipped CSV against a script: a month in one part, and one in two.

    AWS splits a large month, and does not say from which size on.
    """
    for name, parts in (("one_part", 1), ("two_parts", 2)):
        export = data.aws(options.scratch, rows=options.aws_rows, parts=parts)
        yield _aws_month(f"aws_duckdb.{name}", export, options)


def doubles_duckdb(options: Options) -> Iterator[Figure]:
    """Parquet parts whose amounts are doubles, against a script that goes by their text."""
    export = data.doubles(options.scratch, rows=options.rows)
    floor = _fresh(options.scratch, "doubles-floor")
    script = python("floor_doubles", str(floor), *map(str, export.parts))
    yield _month("doubles_duckdb.totals_on", export, options, floor, script)


def aws_forms_duckdb(options: Options) -> Iterator[Figure]:
    """Data Exports of AWS, against a script that stores doubles and maps as they are."""
    forms: tuple[data.Form, ...] = ("cur2-parquet", "focus-1.2", "cur2-csv")
    for form in forms:
        export = data.aws_form(options.scratch, form, rows=options.aws_rows)
        floor = _fresh(options.scratch, f"{form}-floor")
        manifest = next(export.tree.rglob("*Manifest.json"))
        script = python("floor_export", str(floor), str(manifest), *map(str, export.parts))
        figure = _month(f"aws_forms_duckdb.{form}", export, options, floor, script)
        yield figure
        yield Figure(
            name=f"aws_forms_duckdb.{form}.peak_memory",
            value=figure.runs["load"]["peak_bytes"],
            about=_about(export),
        )


def _aws_month(name: str, export: data.Export, options: Options) -> Figure:
    floor = _fresh(options.scratch, "aws-floor")
    manifest = next(export.tree.rglob("*Manifest.json"))
    script = python("floor_aws", str(floor), str(manifest), *map(str, export.parts))
    return _month(name, export, options, floor, script)


def _month(
    name: str, export: data.Export, options: Options, floor: Path, script: Command
) -> Figure:
    """A month against a script that replaces it in the file `floor`."""
    space = configure(options.scratch, export.kind, export)
    _ready(space)
    run(script)
    taken = interleave(
        {"floor": script, "load": space.load(), "no_op": space.no_op(), "empty": EMPTY},
        options.runs,
    )
    # What a script stores as doubles has other totals, which is no fault of it.
    is_exact = export.is_as_it_is or check_totals(floor, "bill", export)
    return Figure(
        name=name,
        value=_ratios(times(taken["load"], taken["no_op"]), times(taken["floor"], taken["empty"])),
        about=_about(export) | _cpu(taken["load"], taken["no_op"], taken["floor"], taken["empty"]),
        exact=is_exact and check_totals(space.database, space.table, export),
        runs={side: resources(taken[side]) for side in taken},
    )


def peers(options: Options) -> Iterator[Figure]:
    """Parquet parts by other tools, which are slow, so at smaller sizes."""
    yield from _against(("dlt_arrow", "dlt_file"), options.peer_rows, options)
    yield from _against(("pandas", "dlt_default"), options.slow_peer_rows, options)


def _against(names: tuple[str, ...], rows: int, options: Options) -> Iterator[Figure]:
    """Peers at one size, less a bare dlt run for dlt, and an empty Python for pandas."""
    export = data.azure(options.scratch, rows=rows)
    space = configure(options.scratch, f"peers-{rows}", export)
    _ready(space)
    home = _fresh(options.scratch, f"peers-{rows}-databases").parent
    bare = _quiet(python("bare_dlt", str(home / "bare.duckdb")), home)
    run(bare)

    def peer(name: str, index: int) -> Command:
        target = str(home / f"{name}{index}.duckdb")
        if name == "pandas":
            return python("peer_pandas", target, str(export.tree))
        return _quiet(python("peer_dlt", name.removeprefix("dlt_"), target, str(export.tree)), home)

    taken = interleave(
        {
            "cloudbill": space.load(),
            "no_op": space.no_op(),
            **{name: partial(peer, name) for name in names},
            "bare_dlt": bare,
            "empty": EMPTY,
        },
        options.runs,
    )
    is_exact = check_totals(space.database, space.table, export)
    work = times(taken["cloudbill"], taken["no_op"])
    for name in names:
        base = "empty" if name == "pandas" else "bare_dlt"
        is_peer_exact = check_totals(home / f"{name}0.duckdb", "billing.bill", export)
        whole = _ratios(times(taken[name]), times(taken["cloudbill"]))
        yield Figure(
            name=f"peers.{name}",
            value=_ratios(times(taken[name], taken[base]), work),
            about=_about(export)
            | {
                "times_faster_as_whole_processes": round(whole.median, 2),
                "totals_of_the_peer": "exact" if is_peer_exact else "not exact",
            },
            exact=is_exact,
            runs={side: resources(taken[side]) for side in ("cloudbill", "no_op", name, base)},
        )


def _quiet(command: Command, home: Path) -> Command:
    """dlt without telemetry and with its own folder."""
    env = {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "DLT_DATA_DIR": str(home / "dlt"),
    }
    return Command(words=command.words, folder=home, env=env, timeout_s=command.timeout_s)


def memory(options: Options) -> Iterator[Figure]:
    """The peak of a month and of one with several times the rows."""
    small, large = (data.azure(options.scratch, rows=rows) for rows in options.memory_rows)
    spaces = {
        "smaller": (configure(options.scratch, "memory-small", small), small),
        "larger": (configure(options.scratch, "memory-large", large), large),
    }
    taken = interleave({name: space.load() for name, (space, _) in spaces.items()}, options.runs)
    peaks = {name: [float(one.peak_bytes) for one in runs] for name, runs in taken.items()}
    is_exact = True
    for space, export in spaces.values():
        is_exact = check_totals(space.database, space.table, export) and is_exact
    yield Figure(
        name="memory.growth",
        value=_ratios(peaks["larger"], peaks["smaller"]),
        about={"rows": small.rows, "larger_rows": large.rows},
        exact=is_exact,
        runs={name: resources(taken[name]) for name in taken},
    )
