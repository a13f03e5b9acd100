"""How many queries a command sends to BigQuery: each of them bills at least 10 MB."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.doctor.examination import examine_source
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.verification import verify_source
from cloudbill.periods import utc_now
from cloudbill.report.collecting import collect
from contract.deliveries import AwsWriter, AzureWriter, Delivery, Writer, at, charges
from contract.places import Case, GcsAndBigQuery

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emulators.fixtures import Cloud

MONTHS = ("2025-08", "2025-09", "2025-10")
PARTITIONS, LEDGER, SUMS, OTHERS = "partitions", "ledger", "sums", "others"


@pytest.fixture(params=[AzureWriter, AwsWriter])
def case(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Case:
    """Three months of a provider, delivered for BigQuery."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    writer: Writer = request.param()
    case = Case(place=GcsAndBigQuery(cloud), writer=writer, scratch=tmp_path)
    for month in MONTHS:
        rows = charges(month, "1", "2")
        at_night = at("2025-11-03 04:00")
        case.deliver(Delivery(period=month, charges=rows, submitted_at=at_night, run_id=month))
    return case


def kind_of(statement: str) -> str:
    """What a statement of ours asks."""
    if "INFORMATION_SCHEMA.PARTITIONS" in statement:
        return PARTITIONS
    if "is_state" in statement:
        return LEDGER
    return SUMS if "COUNT(*)" in statement else OTHERS


def asked(cloud: Cloud, work: Callable[[], object]) -> Counter[str]:
    """How often each is asked while a command works; dlt's own statements have no label."""
    before = len(cloud.bigquery.jobs())
    work()
    jobs: list[dict[str, Any]] = cloud.bigquery.jobs()[before:]
    ours = [job for job in jobs if job["kind"] == "query" and "source" in job["labels"]]
    return Counter(kind_of(job["configuration"]["query"]["query"]) for job in ours)


def test_no_command_asks_the_same_twice(case: Case, cloud: Cloud) -> None:
    first = asked(cloud, case.load)
    assert len(case.tracked()) == len(MONTHS)
    assert first[SUMS] == len(MONTHS)
    assert 1 <= first[PARTITIONS] <= len(MONTHS)
    assert first[LEDGER] <= 1
    assert first[OTHERS] == 0

    looking = Counter({PARTITIONS: 1, LEDGER: 1})
    assert asked(cloud, case.load) == looking
    assert asked(cloud, lambda: read_status(case.settings, now=utc_now())) == looking
    assert asked(cloud, lambda: examine_source(case.settings)) == looking | {OTHERS: 1}
    verifying = asked(cloud, lambda: verify_source(case.settings, frozenset(), lambda _: None))
    assert verifying == looking | {SUMS: len(MONTHS)}
    assert asked(cloud, lambda: collect(case.settings)) == looking | {SUMS: 3}


def test_a_month_more_is_one_question_more(case: Case, cloud: Cloud) -> None:
    case.load()
    rows = charges("2025-07", "1", "2")
    case.deliver(
        Delivery(period="2025-07", charges=rows, submitted_at=at("2025-11-03 05:00"), run_id="more")
    )
    found = asked(cloud, case.load)
    assert found[PARTITIONS] == 2
    assert found[SUMS] == 1
