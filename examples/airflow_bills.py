"""A DAG for Airflow 3: loads what is new, then checks that deliveries still arrive.

A task that fails is tried again, but not where that is of no use: with exit code 2 the
configuration is wrong, and with 6 a run is held until a person decides. Both fail at once, and
Airflow tells whom `on_failure_callback` names. No secret is in here: cloudbill reads them from
`.dlt/secrets.toml` of the folder, which only the worker's user may read, or from the worker's
environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FOLDER = "/srv/bills"  # with .dlt/config.toml
MISCONFIGURED, HELD = 2, 6


class Cloudbill(BaseOperator):
    """Runs a command of cloudbill, whose lines go into the log of the task."""

    def __init__(self, *, words: Sequence[str], **given: Any) -> None:
        super().__init__(**given)
        self.words = words
        self.hook = SubprocessHook()

    def execute(self, context: Any) -> None:
        """Fails with the exit code in the message, for good where another try is of no use."""
        del context
        code = self.hook.run_command(["cloudbill", *self.words], cwd=FOLDER).exit_code
        if code == HELD:
            raise AirflowFailException("A run is held: `cloudbill status` shows it")
        if code == MISCONFIGURED:
            raise AirflowFailException("The configuration is wrong: `cloudbill doctor` says where")
        if code != 0:
            raise AirflowException(f"Exit code {code}: `cloudbill explain {code}`")

    def on_kill(self) -> None:
        """Lets a load end in good order: the month in progress stays as it was."""
        self.hook.send_sigterm()


with DAG(
    dag_id="bills",
    schedule="15 6 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=15)},
):
    load = Cloudbill(task_id="load", words=["load", "--log-format", "json"])
    # Also after a load that failed: it looks at all sources.
    fresh = Cloudbill(
        task_id="fresh",
        words=["status", "--check", "--max-age", "36h"],
        trigger_rule="all_done",
        retries=0,
    )
    load >> fresh
