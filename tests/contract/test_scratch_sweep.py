from __future__ import annotations
import itertools, pytest, traceback
from contract import ledgers
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case, DiskAndDuckDB
from contract.test_ledger_order import run, loaded
from cloudbill.ledger.rebuilding import rebuild_ledger, rebuilding_lines
from cloudbill.ledger import Ledger
from cloudbill.warehouses import open_warehouse
import shutil


def known(case):
    w = open_warehouse(case.settings.warehouse, read_only=True)
    try:
        return {str(p): r.run_id for p, r in Ledger(case.settings, w).loaded().items()}
    finally:
        w.close()


def test_sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = DiskAndDuckDB(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    case = Case(place=place, writer=AzureWriter(), scratch=scratch)
    case.deliver(run("first"), run("september", month="2025-09"))
    case.load()
    case.deliver(run("october", day=11))
    case.load()
    backup = tmp_path / "backup.duckdb"
    shutil.copy(place.database, backup)
    case.deliver(run("newer", day=12))
    tables = ["_dlt_pipeline_state", "_dlt_loads", "_dlt_version", ledgers.tracking(case)]
    jobs = []
    for n in range(1, 5):
        for combo in itertools.combinations(tables, n):
            jobs.append(
                (
                    "drop " + ",".join(combo),
                    lambda combo=combo: [ledgers.drop_table(case, t) for t in combo],
                )
            )
    for t in tables:
        for c in case.place.columns(t):
            jobs.append((f"column {t}.{c}", lambda t=t, c=c: ledgers.drop_column(case, t, c)))
    import os

    only = os.environ.get("ONLY")
    jobs = [j for j in jobs if not only or any(o in j[0] for o in only.split(","))]
    bad = 0
    for name, job in jobs:
        for mode in ("load", "rebuild"):
            shutil.copy(backup, place.database)
            job()
            try:
                if mode == "rebuild":
                    lines = []
                    rebuild_ledger(case.settings, lambda r: lines.extend(rebuilding_lines(r)))
                out = case.load()
                ok = (
                    out.exit_code == 0
                    and len(out.results) <= 2
                    and case.load().results == ()
                    and loaded(case) == {"2025-09": "september", "2025-10": "newer"}
                )
                k = known(case)
                t = {row[0]: row[1] for row in case.tracked()}
                ok = ok and k == {"2025-09": "september", "2025-10": "newer"}
                d = ledgers.restored_by_dlt(case)["cloudbill"]["periods"]
                ok = ok and {m: e["run_id"] for m, e in d.items()} == k
                tr = case.tracked()
                print(
                    ("ok  " if ok else "BAD ") + name,
                    mode,
                    len(out.results),
                    out.error or "",
                    "" if ok else (k, d),
                    len(tr),
                )
                if mode == "rebuild":
                    print("     ", lines)
                bad += not ok
            except Exception as e:
                bad += 1
                print("EXC ", name, mode, type(e).__name__, str(e)[:300])
                traceback.print_exc()
    assert not bad
