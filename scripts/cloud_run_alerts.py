"""The alerts on the jobs of Cloud Run, as policies of Cloud Monitoring."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

__all__ = ["policies"]

HELD: Final = 6
LOGGED: Final = {"notificationRateLimit": {"period": "3600s"}, "autoClose": "86400s"}
"""A policy over a log needs a limit to how often it speaks."""


def policies(job: str) -> Mapping[str, Mapping[str, object]]:
    """The alert policies of Cloud Monitoring, by the names of their files."""
    name, both = json.dumps(job), json.dumps(f"^({re.escape(job)})(-check)?$")
    failed = (
        'resource.type="cloud_run_job" AND metric.type='
        '"run.googleapis.com/job/completed_execution_count" AND metric.labels.result="failed" '
        f"AND resource.labels.job_name=monitoring.regex.full_match({both})"
    )
    held = (
        f'resource.type="cloud_run_job" AND resource.labels.job_name={name} AND '
        f'jsonPayload.event="finished" AND jsonPayload.exit_code={HELD}'
    )
    not_started = (
        'resource.type="cloud_scheduler_job" AND severity>=ERROR AND '
        f"resource.labels.job_id=~{both}"
    )
    threshold = {
        "filter": failed,
        "comparison": "COMPARISON_GT",
        "thresholdValue": 0,
        "duration": "0s",
        "aggregations": [{"alignmentPeriod": "300s", "perSeriesAligner": "ALIGN_SUM"}],
    }
    return {
        "failed.json": policy(
            f"{job}: a job failed",
            {"conditionThreshold": threshold},
            {"autoClose": "86400s"},
            "The log of the job has the reason, and docs/errors.md says what its exit code means. "
            "The months that were not loaded are as they were.",
        ),
        "held.json": policy(
            f"{job}: a run is held",
            {"conditionMatchedLog": {"filter": held}},
            LOGGED,
            "`cloudbill status` shows the run; `cloudbill accept` loads it, `dismiss` does not.",
        ),
        "not-started.json": policy(
            f"{job}: the schedule started no job",
            {"conditionMatchedLog": {"filter": not_started}},
            LOGGED,
            "Cloud Scheduler could not start a job; its log has the reason.",
        ),
    }


def policy(
    name: str, condition: Mapping[str, object], strategy: Mapping[str, object], text: str
) -> Mapping[str, object]:
    """A policy with one condition."""
    return {
        "displayName": name,
        "combiner": "OR",
        "conditions": [{"displayName": name, **condition}],
        "alertStrategy": strategy,
        "documentation": {"content": text, "mimeType": "text/markdown"},
    }
