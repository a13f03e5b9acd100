"""Loads definitions as Dagster does, and materializes; for `check_examples.py`, in its environment.

    python check_dagster.py examples/dagster_bills.py

`cloudbill` on the PATH ends with the exit code that CODE says, and writes its words into SAID.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import dagster as dg

TRIED_AGAIN = {1, 3, 4, 5, 130}
RETRIES = 2


def main(file: Path) -> None:
    """Raises an error for what is not as it should be."""
    module = imported(file)
    dg.Definitions.validate_loadable(module.defs)
    schedule = module.defs.resolve_schedule_def("every_morning")
    require(schedule.cron_schedule == "15 6 * * *", "the schedule is another")
    policy = module.bills.op.retry_policy
    require(policy.max_retries == RETRIES, "the retries are others")
    for code in (0, 1, 2, 3, 4, 5, 6, 130):
        os.environ["CODE"] = str(code)
        found = outcome(module)
        expected = "loaded" if code == 0 else "again" if code in TRIED_AGAIN else "failed"
        require(found == expected, f"exit code {code}: {found}, not {expected}")
    said = Path(os.environ["SAID"]).read_text(encoding="utf-8").splitlines()
    words = [json.loads(line) for line in said[:2]]
    expected_words = [["load", "--json"], ["status", "--check", "--max-age", "36h"]]
    require(words == expected_words, f"it runs {words}")
    for code in (0, 2, 6):
        os.environ["CODE"] = str(code)
        run = dg.materialize([module.bills], raise_on_error=False)
        require(run.success == (code == 0), f"a run with {code}: {run.success}")
        checks = [(one.check_name, one.passed) for one in run.get_asset_check_evaluations()]
        require(checks == [("fresh", code == 0)], f"the checks with {code}: {checks}")
    print("Dagster loads and runs examples/dagster_bills.py")


def imported(file: Path) -> Any:
    """The module of a file."""
    spec = importlib.util.spec_from_file_location("bills", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(module: Any) -> str:
    """What becomes of a load: whether it is done, fails for good, or is tried again."""
    with dg.build_asset_context() as context:
        try:
            _, result = module.bills(context)
        except dg.Failure as failure:
            return "again" if failure.allow_retries else "failed"
    require(result.metadata == {"months": ["2025-10"], "rows": 7}, f"it shows {result.metadata}")
    return "loaded"


def require(is_so: object, otherwise: str) -> None:
    """Ends with a reason unless something is so."""
    if not is_so:
        raise SystemExit(f"examples/dagster_bills.py: {otherwise}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
