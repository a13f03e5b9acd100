"""The file for Prometheus, as Prometheus' own library reads it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloudbill.alerts.metrics import RunMetrics, SourceMetrics, last_successes, metrics_text

NOW = datetime(2025, 11, 3, 6, 0, 0, 500000, tzinfo=UTC)
RUN = RunMetrics(
    command="load", sources="all", version="1.2.3", ended_at=NOW, seconds=1.25, exit_code=6
)
FULL = SourceMetrics(
    source="azure_billing",
    succeeded_at=NOW,
    delivered_at=NOW,
    delivery_age_s=3600.0,
    months={"loaded": 3, "held": 1, "waiting": 0, "failed": 0},
    rows_loaded=10,
    table_rows=600,
    reasons=1,
)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a file."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


class TestText:
    def test_all_that_is_known_is_there(self) -> None:
        found = samples(metrics_text(RUN, [FULL]))
        names = {name for name, _ in found}
        assert len(names) == 11
        of = frozenset({("command", "load"), ("source", "azure_billing")})
        assert found["cloudbill_last_success_timestamp_seconds", of] == NOW.timestamp()
        assert found["cloudbill_newest_delivery_age_seconds", of] == 3600
        assert found["cloudbill_months", of | {("state", "held")}] == 1
        assert found["cloudbill_rows_loaded", of] == 10
        run = frozenset({("command", "load"), ("sources", "all")})
        assert found["cloudbill_run_exit_code", run] == 6
        assert found["cloudbill_run_duration_seconds", run] == 1.25
        assert found["cloudbill_info", run | {("version", "1.2.3")}] == 1

    def test_what_is_unknown_is_not_there_and_nothing_is_twice(self) -> None:
        text = metrics_text(RUN, [SourceMetrics(source="azure_billing")])
        assert {name for name, _ in samples(text)} == {
            "cloudbill_info",
            "cloudbill_run_timestamp_seconds",
            "cloudbill_run_duration_seconds",
            "cloudbill_run_exit_code",
        }
        heads = re.findall(r"# (?:HELP|TYPE) \S+", metrics_text(RUN, [FULL, FULL]))
        assert len(heads) == len({*heads})

    @pytest.mark.parametrize(
        "name", ["azure_billing.a b", 'a"b', "a\\b", "a\nb", "a\\nb", "ä€😀", 'x"} 1', "\\", '\\"']
    )
    def test_any_name_of_a_source_is_read_as_it_is(self, name: str) -> None:
        text = metrics_text(RUN, [SourceMetrics(source=name, succeeded_at=NOW)])
        labels = [dict(found) for (metric, found) in samples(text) if "last_success" in metric]
        assert labels == [{"command": "load", "source": name}]
        assert last_successes(text) == {name: NOW.timestamp()}
