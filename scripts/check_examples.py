"""Lets Airflow and Dagster read and run their examples.

    uv run python scripts/check_examples.py

Each has an environment of its own in `.examples`, because it needs versions that cloudbill does
not have (`examples_airflow.txt`, `examples_dagster.txt`). It is made once, and again where they
change. A stand-in for `cloudbill` ends with each exit code in turn, so that it is seen which ones
are tried again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
ENVIRONMENTS: Final = ROOT / ".examples"
SCHEDULERS: Final = ("airflow", "dagster")
FOLDER: Final = "/srv/bills"
STAND_IN: Final = f"""#!{sys.executable} -IS
import json, os, sys
with open(os.environ["SAID"], "a") as said:
    print(json.dumps(sys.argv[1:]), file=said)
print(json.dumps({{"loads": [{{"period": "2025-10", "rows": 7}}], "failures": []}}))
sys.exit(int(os.environ["CODE"]))
"""


def main() -> int:
    """Prints how long each took, and gives 1 if one does not take its example."""
    with ThreadPoolExecutor(max_workers=len(SCHEDULERS)) as pool:
        return max(pool.map(check, SCHEDULERS))


def check(scheduler: str) -> int:
    """Checks one example in the environment of its scheduler."""
    began = time.monotonic()
    python = ready_environment(scheduler)
    made = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = run_check(scheduler, python, Path(folder))
    if done.returncode:
        print(f"{done.stdout}\n{done.stderr}", file=sys.stderr)
        return 1
    took, waited = time.monotonic() - made, made - began
    print(f"{done.stdout.splitlines()[-1]} ({waited:.0f} s to install, {took:.0f} s)")
    return 0


def run_check(scheduler: str, python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Starts the check where the stand-in is the command and the example's folder is there."""
    command = folder / "bin/cloudbill"
    command.parent.mkdir()
    command.write_text(STAND_IN, encoding="utf-8")
    command.chmod(0o755)
    example = folder / f"{scheduler}_bills.py"
    text = (ROOT / "examples" / example.name).read_text(encoding="utf-8")
    if FOLDER not in text:
        raise SystemExit(f"{example.name} names no folder {FOLDER}")
    example.write_text(text.replace(FOLDER, str(folder)), encoding="utf-8")
    env = {
        **os.environ,
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "SAID": str(folder / "said"),
        "AIRFLOW_HOME": str(folder / "home"),
        "DAGSTER_DISABLE_TELEMETRY": "true",
    }
    script = ROOT / "scripts" / f"check_{scheduler}.py"
    return subprocess.run(
        [python, script, example], env=env, cwd=folder, capture_output=True, text=True, check=False
    )


def ready_environment(scheduler: str) -> Path:
    """Makes the environment of a scheduler unless it is as it should be; gives its Python."""
    packages = ROOT / "scripts" / f"examples_{scheduler}.txt"
    environment = ENVIRONMENTS / scheduler
    python, made_of = environment / "bin" / "python", environment / packages.name
    if not made_of.exists() or made_of.read_text() != packages.read_text():
        uv("venv", "--clear", "--python", sys.executable, str(environment))
        uv("pip", "install", "--python", str(python), "--requirements", str(packages))
        shutil.copy(packages, made_of)
    return python


def uv(*words: str) -> None:
    """Runs uv outside of the project, whose versions are not those of a scheduler."""
    if subprocess.run(["uv", *words, "--quiet"], cwd=tempfile.gettempdir(), check=False).returncode:
        raise SystemExit("The environment of a scheduler cannot be made; uv says above why.")


if __name__ == "__main__":
    sys.exit(main())
