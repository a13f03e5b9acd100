"""BigQuery fails for now: the month is loaded once and whole, or the old month is unchanged."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import LoadError, TransientLoadError
from contract.deliveries import AwsWriter, AzureCsvWriter
from contract.faulty import FAULTS, MONTH, NEW, OLD, RETRY_FOR_S, Faulty, attempts, point_at
from emulators.fault_proxy import Edit, Status

if TYPE_CHECKING:
    from emulators.s3 import S3Emulator

COUNT = r"COUNT\(\*\)"
BUSY = {"reason": "backendError", "message": "try again"}


def still_running(body: bytes) -> bytes:
    """The answer to a query that takes longer than BigQuery was told to wait."""
    answer = json.loads(body)
    return json.dumps({"jobReference": answer["jobReference"], "jobComplete": False}).encode()


def failed(body: bytes) -> bytes:
    """The job of a query that failed for a reason that passes."""
    job = json.loads(body)
    return json.dumps({**job, "status": {"state": "DONE", "errorResult": BUSY}}).encode()


class TestBigQueryThatFailsForNow:
    """Whatever BigQuery does not answer, it is asked again, and no job runs twice."""

    CALLS = (
        ("GET", r"/datasets/finops\?", None),
        ("POST", r"/datasets\?", None),
        ("GET", r"/tables/bill\?", None),
        ("POST", r"/tables\?", r'"bill"'),
        ("POST", r"/jobs\?", MONTH),
        ("POST", r"/queries\?", COUNT),
        ("GET", r"/queries/", None),
    )
    """The dataset and the table are asked for and made, a job is inserted, rows are counted.

    The count takes so long that BigQuery has to be asked for its rows again.
    """

    @pytest.mark.parametrize("fault", FAULTS)
    def test_month_is_loaded_once_and_whole(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        faulty.case.deliver(NEW)
        # An answer that does not come is waited for, so only one call of each kind is slow.
        calls = self.CALLS[2::2] if fault == "slow" else self.CALLS
        rules = [
            faulty.bigquery.add(method, path, FAULTS[fault], body=body)
            for method, path, body in calls
        ]
        rules.append(faulty.bigquery.add("POST", r"/queries\?", Edit(still_running), body=COUNT))

        outcome = faulty.case.load()

        assert outcome.exit_code == 0
        assert [rule.hits for rule in rules] == [1] * len(rules)
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        told = attempts(caplog)
        assert len(told) >= len(calls)
        assert all(
            re.match(r"BigQuery (GET|POST) /projects/acme/.*: attempt \d failed", line)
            for line in told
        )

    @pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
    def test_a_query_whose_job_fails_for_now_is_run_again(
        self,
        faulty: Faulty,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        times: int | None,
    ) -> None:
        monkeypatch.setattr("contract.faulty.RETRY_FOR_S", "3")
        faulty.case.deliver(NEW)
        running = faulty.bigquery.add(
            "POST", r"/queries\?", Edit(still_running), body=COUNT, times=times
        )
        rule = faulty.bigquery.add("GET", r"/jobs/(?!cloudbill_)", Edit(failed), times=times)
        started = time.monotonic()

        outcome = faulty.case.load()

        assert time.monotonic() - started < float(RETRY_FOR_S) + 5
        assert rule.hits == running.hits
        told = [line for line in attempts(caplog) if "try again" in line]
        assert len(told) >= rule.hits - 1
        assert all(line.startswith("BigQuery query: attempt ") for line in told)
        if times:
            assert (outcome.exit_code, rule.hits) == (0, 1)
            assert faulty.case.held() == list(NEW.charges)
        else:
            (failure,) = outcome.failures
            assert isinstance(failure.error, TransientLoadError)
            assert rule.hits > 3

    # By format the job differs, and not what is done about its answer: one that refused it, and
    # one that may have begun it.
    @pytest.mark.parametrize("faulty", [AwsWriter, AzureCsvWriter], indirect=True)
    @pytest.mark.parametrize("fault", ["unavailable", "reset after"])
    def test_csv_is_loaded_once_and_whole(
        self, faulty: Faulty, fault: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", FAULTS[fault], body=MONTH)

        assert (faulty.case.load().exit_code, rule.hits) == (0, 1)
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        assert attempts(caplog)

    @pytest.mark.parametrize(
        ("path", "fault"),
        [
            # The other codes are those of any call, and tried with every other one.
            *(
                (r"/upload/", fault)
                for fault in ("unavailable", "reset after", "truncated", "slow")
            ),
            # The job that copies is inserted like every other.
            (r"/jobs\?", "unavailable"),
            (r"/jobs\?", "reset after"),
        ],
    )
    def test_parts_of_another_cloud_are_uploaded_once_and_whole(  # noqa: PLR0917
        self,
        faulty: Faulty,
        s3: S3Emulator,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        path: str,
        fault: str,
    ) -> None:
        point_at("s3", s3.url, monkeypatch)
        s3.create_bucket("bills")
        monkeypatch.setattr(faulty.case.place, "bucket", "s3://bills", raising=False)
        s3.upload_tree(faulty.case.write(NEW).folder, "bills", "")
        body = MONTH if path == r"/jobs\?" else None
        rule = faulty.bigquery.add("POST", path, FAULTS[fault], body=body)

        outcome = faulty.case.load()

        assert (outcome.exit_code, rule.hits) == (0, 1)
        assert faulty.case.held() == list(NEW.charges)
        assert attempts(caplog)

    def test_lasting_failure_leaves_the_old_month_in_bounded_time(
        self, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("contract.faulty.RETRY_FOR_S", "3")
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", Status(503), body=MONTH, times=None)
        started = time.monotonic()

        (failure,) = faulty.case.load().failures

        assert isinstance(failure.error, TransientLoadError)
        assert rule.hits > 3
        assert time.monotonic() - started < float(RETRY_FOR_S) + 2 + 5
        assert faulty.case.held() == list(OLD.charges)

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (Status(403, "accessDenied"), "roles/bigquery.jobUser on the project"),
            (Status(403, "quotaExceeded"), "come back over 24 hours"),
            (Status(404, "notFound"), "Check 'project_id', 'dataset' and 'location'"),
            (Status(400, "invalid"), "Injected invalid"),
        ],
        ids=["permission", "quota", "not found", "invalid"],
    )
    def test_what_cannot_succeed_is_asked_once(
        self,
        faulty: Faulty,
        caplog: pytest.LogCaptureFixture,
        status: Status,
        message: str,
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        rule = faulty.bigquery.add("POST", r"/jobs\?", status, body=MONTH, times=None)

        (failure,) = faulty.case.load().failures

        assert type(failure.error) is LoadError
        assert message in str(failure.error)
        assert rule.hits == 1
        # On a busy machine an answer may take longer than an attempt may.
        assert [line for line in attempts(caplog) if "timed out" not in line] == []
        assert faulty.case.held() == list(OLD.charges)

    @pytest.mark.parametrize("faulty", [AzureCsvWriter], indirect=True)
    @pytest.mark.parametrize("times", [2, None], ids=["twice", "always"])
    def test_a_table_that_somebody_changed_is_read_again(
        self, faulty: Faulty, times: int | None
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(replace(NEW, added={"team": "blue"}))
        changed = Status(412, "conditionNotMet")
        rule = faulty.bigquery.add("PATCH", r"/tables/bill", changed, times=times)

        outcome = faulty.case.load()

        if times:
            assert (outcome.exit_code, rule.hits) == (0, 2)
            assert faulty.case.held() == list(NEW.charges)
            assert faulty.case.values("x_team") == ["blue"] * len(NEW.charges)
        else:
            (failure,) = outcome.failures
            assert isinstance(failure.error, TransientLoadError)
            assert "Another process changed the table since it was read" in str(failure.error)
            assert faulty.case.held() == list(OLD.charges)
