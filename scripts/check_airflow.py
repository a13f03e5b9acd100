"""Reads a DAG as Airflow does, and runs its tasks; for `check_examples.py`, in its environment.

    python check_airflow.py examples/airflow_bills.py

`cloudbill` on the PATH ends with the exit code that CODE says, and writes its words into SAID.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FAILS_FOR_GOOD = {2, 6}
RETRIES = 2


def main(file: Path) -> None:
    """Raises an error for what is not as it should be."""
    bag = DagBag(dag_folder=str(file), safe_mode=False)
    require(not bag.import_errors, f"Airflow cannot import it: {bag.import_errors}")
    require([*bag.dags] == ["bills"], f"the DAGs are {[*bag.dags]}")
    dag = bag.dags["bills"]
    require(dag.task_ids == ["load", "fresh"], f"the tasks are {dag.task_ids}")
    load, fresh = (dag.get_task(name) for name in ("load", "fresh"))
    require(load.downstream_task_ids == {"fresh"}, "the check does not follow the load")
    require((load.retries, fresh.retries) == (RETRIES, 0), "the retries are others")
    require(not dag.catchup and dag.max_active_runs == 1, "missed days would be made up for")
    for task, first in ((load, "load"), (fresh, "status")):
        for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 130):
            os.environ["CODE"] = str(code)
            found, expected = outcome(task), expected_of(code)
            require(found is expected, f"{task.task_id} with {code}: {found}, not {expected}")
        said = Path(os.environ["SAID"]).read_text(encoding="utf-8")
        words = json.loads(said.splitlines()[-1])
        require(words[0] == first, f"the task {task.task_id} runs {words}")
    print("Airflow reads and runs examples/airflow_bills.py")


def expected_of(code: int) -> object:
    """The error of a task by the exit code of its command."""
    if code == 0:
        return None
    return AirflowFailException if code in FAILS_FOR_GOOD else AirflowException


def outcome(task: Any) -> object:
    """What a task raises: what it raises for good is not tried again."""
    try:
        task.execute({})
    except AirflowException as error:
        return type(error)
    return None


def require(is_so: object, otherwise: str) -> None:
    """Ends with a reason unless something is so."""
    if not is_so:
        raise SystemExit(f"examples/airflow_bills.py: {otherwise}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
