"""Tells results: as lines in a terminal, and in docs/benchmarks.md and docs/scale.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from benchmarks.processes import ROOT
from benchmarks.targets import TARGETS

__all__ = ["as_text", "write"]

DOCS: Final = ROOT / "docs"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"

METHOD: Final = """\
# What loading costs

`just bench --write-docs` writes this page from the results of a run, which are in
[benchmarks/results.json](../benchmarks/results.json). Ratios are similar on other machines, seconds
are not.

## How it is measured

- The data are sample exports of `cloudbill sample`, in any size: realistic columns, types and
  amounts, and known totals.
- Each figure is a ratio to a floor or to a peer. Each side is its own process. The sides run in
  turn, in reverse order in every second round, so that a slow minute is slow for all of them. Each
  round has its own ratio; the page shows the median of the rounds, the lowest and the highest.
- All sides run in one environment, which has only cloudbill with its extras.
- The kernel measures wall time, CPU time and peak resident memory of each process.
- *Minus the no-op run* subtracts the median of the runs that find nothing new, and from the floor
  that of an empty Python: the rest is the work. The floor still includes the import of DuckDB. From
  dlt's peers a dlt run that does nothing is subtracted, and from pandas an empty Python.
- After each comparison, the rows and every cost total of the tables are compared with the known
  ones, as decimals. If a total differs in any digit, the target is not met, however fast it was;
  the same holds if the floor is not exact.
- Both sides replace a month that is already there. The floor deletes it and inserts the parts in
  one transaction, `BY NAME`, with `union_by_name`, with `preserve_insertion_order = false` and
  1 GB of memory, like cloudbill; it compares, counts and records nothing. For AWS its `read_csv`
  has the type of each column from the manifest.
- Stores and BigQuery are emulated, behind a proxy that counts requests and bytes and adds a latency
  and a bandwidth. The bandwidth of the remote store is set so that the download takes as long as
  the load. That is the worst case for doing one after the other, which would be a ratio of 2.
- Each load job of BigQuery gets half a second more, so that jobs can overlap. The speed of the
  emulator says nothing about the speed of BigQuery.
- The test suite measures no times; a test runs each benchmark at a tiny size, to show that it works
  and that it finds a wrong total.

Run it: `just bench`, `just bench --rows 5000000 --only azure_duckdb`, `just bench --help`.
"""

DID_NOT_RUN: Final = """\
## Peers that did not run

| peer | why |
|---|---|
| Sling | its package on PyPI only downloads the program; nothing is downloaded here |
| ingestr | the same as Sling |
"""

TACTICS: Final = """\
## Tactics that were tried

Each was measured against the code without it, in turn, on a store whose line takes as long as the
load, and where every total was exact. What gains less than a tenth of the time is not kept, for it
costs code.

- The parts of the next month are downloaded while a month is loaded into DuckDB: 0.70 x of the
  time for six months of Azure in Parquet. Kept.
- CSV parts are inserted in batches as they arrive: 0.96 x of the time (0.91 x to 1.15 x in six
  rounds) for a month of AWS with 2,000,000 rows in 16 parts of 143 MB. Not kept: all parts are
  downloaded, four at once, and then counted and inserted.

`obstore` was tried in place of fsspec for remote stores. It is faster at small requests and would
have saved about a hundred of 700 lines, but it folds `//` in keys, lists no generation of an
object, and keeps Ctrl-C from a request that hangs. So fsspec stays.
"""


def write(results: Mapping[str, Any]) -> None:
    """Writes docs/benchmarks.md, and the measured part of docs/scale.md."""
    (DOCS / "benchmarks.md").write_text("\n".join(benchmarks_page(results)))
    scale = DOCS / "scale.md"
    measured = [figure for figure in results["figures"] if figure["name"].startswith("scale.")]
    text = scale.read_text()
    head, _, rest = text.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    told = "\n".join(scale_part(measured)) if measured else "Not measured yet.\n"
    scale.write_text(f"{head}{_BEGIN}\n{told}{_END}{tail}")


def benchmarks_page(results: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the page."""
    yield METHOD
    yield from _machine(results)
    yield "## Figures"
    yield ""
    figures = [figure for figure in results["figures"] if not figure["name"].startswith("scale.")]
    yield from _table(
        ("work", "against", "median", "from, to", "target", ""),
        (_row(figure) for figure in figures),
    )
    for name, problem in results["failed"].items():
        yield f"`{name}` did not run to its end: {problem}"
        yield ""
    yield "## The details"
    yield ""
    for figure in figures:
        yield from _behind(figure)
    yield DID_NOT_RUN
    yield TACTICS


def _machine(results: Mapping[str, Any]) -> Iterator[str]:
    machine = dict(results["machine"])
    yield "## The machine"
    yield ""
    packages = ("cloudbill", "duckdb", "dlt", "pandas", "pyarrow", "typer", "gcsfs")
    versions = ", ".join(f"{name} {machine[name]}" for name in packages)
    yield (
        f"{machine['cores']} cores, {machine['memory_gb']} GB of memory, {machine['system']}, "
        f"Python {machine['python']}, {versions}. "
        f"Rounds: {results['options']['runs']}. Load average at the end: {machine['load_average']}."
    )
    yield ""


def _row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    target = TARGETS.get(figure["name"])
    value = figure["value"]
    unit = _unit(figure["name"])
    spread = f"{_amount(value['low'], unit)}, {_amount(value['high'], unit)}"
    size = f", {figure['about']['rows']:,} rows" if "rows" in figure["about"] else ""
    if target is None:
        return (
            _untargeted(figure["name"]) + size,
            "",
            _amount(value["median"], unit),
            spread,
            "",
            "",
        )
    return (
        target.work + size,
        target.against,
        _amount(value["median"], unit),
        spread,
        f"{target.sign} {_amount(target.bound, unit)}",
        _verdict(figure),
    )


def _verdict(figure: Mapping[str, Any]) -> str:
    if figure["exact"] is False:
        return "**not exact**"
    if "met" not in figure:
        return ""
    return "met" if figure["met"] else "**not met**"


_UNTARGETED: Final = {
    "peers.dlt_file": "a month of Azure into DuckDB, times faster than dlt with `with_file_import`",
    "bigquery.footer_of_large_part": "bytes of the footer of a larger part",
    "peers.pandas": "a month of Azure into DuckDB, times faster than pandas",
}


def _unit(name: str) -> str:
    if name in TARGETS:
        return TARGETS[name].unit
    if name.startswith("scale."):
        return "s"
    return "bytes" if "footer" in name else "x"


def _untargeted(name: str) -> str:
    return _UNTARGETED.get(name, name)


def _behind(figure: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{figure['name']}`"
    yield ""
    about = [f"{_words(key)} {_told(key, value)}" for key, value in figure["about"].items()]
    if figure["exact"] is not None:
        about.append(f"totals {'exact' if figure['exact'] else 'NOT exact'}")
    if about:
        yield ", ".join(about) + "."
        yield ""
    target = TARGETS.get(figure["name"])
    if target is not None and target.note and not figure["met"]:
        yield target.note
        yield ""
    if figure["runs"]:
        yield from _table(
            ("process", "wall s", "CPU s", "peak MB"),
            (
                (
                    _words(name),
                    _ends(run["wall_s"], 1),
                    _ends(run["cpu_s"], 1),
                    _ends(run["peak_bytes"], 1000**2, digits=0),
                )
                for name, run in figure["runs"].items()
            ),
        )


def scale_part(figures: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the simulation told."""
    yield ""
    rows = []
    for figure in figures:
        about = figure["about"]
        rows.append(
            (
                about["what"],
                f"{about['runs']:,}",
                f"{about['objects']:,}",
                f"{figure['value']['median']:.1f}",
                f"{about['cpu_s']:.1f}",
                f"{about['peak_bytes'] / 1000**2:,.0f}",
                f"{about['list_requests']:,}" if "list_requests" in about else "none",
                f"{about['manifests_read']:,}" if "manifests_read" in about else "all",
            )
        )
    yield from _table(
        ("", "runs", "objects", "wall s", "CPU s", "peak MB", "list requests", "manifests read"),
        rows,
    )


def as_text(results: Mapping[str, Any]) -> str:
    """The figures as lines for a terminal."""
    lines = []
    for figure in results["figures"]:
        target = TARGETS.get(figure["name"])
        unit = _unit(figure["name"])
        value = figure["value"]
        median = _amount(value["median"], unit)
        spread = f"({_amount(value['low'], unit)} .. {_amount(value['high'], unit)})"
        bound = f"{target.sign} {_amount(target.bound, unit)}" if target else ""
        exact = {True: "exact", False: "NOT EXACT", None: ""}[figure["exact"]]
        verdict = _verdict(figure).strip("*")
        lines.append(
            f"{figure['name']:<32} {median:>12} {spread:<26} {bound:<14} {verdict:<9} {exact}"
        )
    lines += [f"{name:<32} FAILED: {problem}" for name, problem in results["failed"].items()]
    took = ", ".join(f"{name} {seconds:.0f}" for name, seconds in results["seconds"].items())
    return "\n".join([*lines, f"seconds: {took}"])


def _amount(value: float, unit: str) -> str:
    match unit:
        case "x":
            return f"{value:.2f} x"
        case "s":
            return f"{value:.1f} s"
        case "bytes" if value >= 1000**2:
            return f"{value / 1000**2:,.0f} MB"
        case _:
            return f"{value:,.0f} {unit}"


def _told(key: str, value: object) -> str:
    if "bytes" in key and isinstance(value, int | float) and value >= 1000**2:
        return f"{value / 1000**2:,.1f} MB"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _ends(spread: Mapping[str, float], divisor: float, *, digits: int = 2) -> str:
    median, low, high = (spread[key] / divisor for key in ("median", "low", "high"))
    return f"{median:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""
