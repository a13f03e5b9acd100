"""A DAG for Airflow 3: loads what is new, then checks that deliveries still arrive.

Exit code 6 says that a run is held: the task is then marked as skipped, not as failed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FOLDER = "/srv/bills"  # with .dlt/config.toml

with DAG(
    dag_id="bills",
    schedule="15 6 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
):
    load = BashOperator(
        task_id="load",
        bash_command="cloudbill load --log-format json",
        cwd=FOLDER,
        skip_on_exit_code=6,
    )
    fresh = BashOperator(
        task_id="fresh",
        bash_command="cloudbill status --max-age 36h",
        cwd=FOLDER,
        trigger_rule="none_failed",
        retries=0,
    )
    load >> fresh
