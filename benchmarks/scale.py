"""Discovery and planning at ten years of a hundred exports."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import data
from benchmarks.data import Workspace
from benchmarks.figures import Figure, Options
from benchmarks.processes import CLOUDBILL, Command, Measured, Spread, run
from benchmarks.proxy import Proxy

__all__ = ["scale"]

_LATENCY_S = 0.03


def scale(options: Options) -> Iterator[Figure]:
    """Plans every export: from a folder on disk, and as many on `gs://` as `objects` allows.

    `months` and `runs_per_month` have three and a third times their usual value here: 120 months.
    """
    months = max(1, options.months * 10 // 3)
    exports = max(1, 100 * options.objects // 50_000)
    tree = _written(options, exports, months)
    runs = exports * months
    space = _configure(options, str(tree), exports)
    measured, found = _plan(space, {})
    yield _figure(
        "scale.disk",
        measured,
        what=f"{exports} exports of {months} months, a folder on disk",
        runs=runs,
        found=found,
        objects=runs * 3,
    )
    from benchmarks.stores import BUCKET, memory_store, stored_tree, upload

    space = _configure(options, BUCKET, exports)
    with memory_store() as store, Proxy(store.url, latency_s=_LATENCY_S) as proxy:
        upload(store.port, stored_tree(tree))
        measured, found = _plan(space, {"STORAGE_EMULATOR_HOST": proxy.url})
        seen = proxy.take()
    yield _figure(
        "scale.gs",
        measured,
        what=f"the same on `gs://`, emulated, {1000 * _LATENCY_S:.0f} ms for each answer",
        runs=runs,
        found=found,
        objects=runs * 3,
        list_requests=sum(one.is_listing for one in seen),
        manifests_read=sum(one.reads("manifest.json") for one in seen),
    )


def _figure(name: str, measured: Measured, *, found: int, **about: str | int) -> Figure:
    return Figure(
        name=name,
        value=Spread.of([measured.wall_s]),
        about={
            **about,
            "cpu_s": round(measured.cpu_s, 2),
            "peak_bytes": measured.peak_bytes,
            "planned": found,
        },
        # Nothing is loaded, but every run must be planned.
        exact=found == about["runs"],
    )


def _plan(space: Workspace, env: dict[str, str]) -> tuple[Measured, int]:
    command = Command(
        words=(CLOUDBILL, "load", "azure", "--dry-run", "--json"),
        folder=space.folder,
        env=env,
        timeout_s=1200,
    )
    measured = run(command)
    return measured, len(json.loads(measured.output)["planned"])


def _written(options: Options, exports: int, months: int) -> Path:
    tree = options.scratch / "data" / f"scale-{exports}e-{months}m"
    if not (tree / "done").exists():
        shutil.rmtree(tree, ignore_errors=True)
        script = Path(__file__).parent / "scripts" / "write_scale.py"
        one = data.azure(options.scratch, rows=40)
        manifest = next(one.tree.rglob("manifest.json"))
        words = (sys.executable, str(script), str(tree), str(exports), str(months), str(manifest))
        run(Command(words=words))
    return tree / "tree"


def _configure(options: Options, bucket: str, exports: int) -> Workspace:
    folder = options.scratch / "work" / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / ".dlt").mkdir(parents=True)
    lines: list[str] = []
    for index in range(exports):
        lines += [
            f"[sources.azure_billing.export{index:03d}]",
            f'bucket = "{bucket}"',
            'prefix = "billing"',
            f'export_name = "export{index:03d}"',
            f'table_name = "bill{index:03d}"',
        ]
    lines += ["[runtime]", 'log_level = "CRITICAL"', "dlthub_telemetry = false"]
    (folder / ".dlt" / "config.toml").write_text("\n".join(lines) + "\n")
    return Workspace(folder=folder, section="azure_billing")
