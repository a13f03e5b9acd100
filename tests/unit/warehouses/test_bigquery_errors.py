"""What BigQuery's errors mean to a person, by the texts that it is known to send."""

from __future__ import annotations

from concurrent.futures import Future

import pytest
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from cloudbill.errors import (
    LoadError,
    PartMissingError,
    ReconciliationError,
    SchemaError,
    TransientLoadError,
)
from cloudbill.warehouses.bigquery.errors import bigquery_errors, job_error, may_pass


def call_error(kind: type[api.GoogleAPICallError], reason: str, message: str = "no") -> Exception:
    """An error as the client makes it of an answer."""
    return kind(message, errors=[{"reason": reason, "message": message}])


class TestMayPass:
    @pytest.mark.parametrize(
        ("error", "passes"),
        [
            (call_error(api.ServiceUnavailable, "backendError"), True),
            (call_error(api.InternalServerError, "internalError"), True),
            (call_error(api.BadGateway, "badGateway"), True),
            (call_error(api.GatewayTimeout, ""), True),
            (call_error(api.TooManyRequests, "rateLimitExceeded"), True),
            (call_error(api.Forbidden, "rateLimitExceeded"), True),
            (call_error(api.BadRequest, "tableUnavailable"), True),
            (requests.ConnectionError("reset"), True),
            (requests.exceptions.ChunkedEncodingError("cut off"), True),
            (requests.Timeout("slow"), True),
            (auth.TransportError("no token for now"), True),
            (ConnectionResetError("reset"), True),
            (call_error(api.Forbidden, "accessDenied"), False),
            (call_error(api.Forbidden, "quotaExceeded"), False),
            (call_error(api.TooManyRequests, "quotaExceeded"), False),
            (call_error(api.NotFound, "notFound"), False),
            (call_error(api.BadRequest, "invalid"), False),
            (call_error(api.Conflict, "duplicate"), False),
            (requests.exceptions.SSLError("certificate"), False),
            (auth.DefaultCredentialsError("none"), False),
            (ValueError("ours"), False),
        ],
        ids=lambda value: str(value) if isinstance(value, bool) else type(value).__name__,
    )
    def test_only_what_may_pass_is_tried_again(self, error: Exception, *, passes: bool) -> None:
        assert may_pass(error) is passes


class TestCalls:
    @pytest.mark.parametrize(
        ("error", "advice"),
        [
            (
                call_error(
                    api.Forbidden,
                    "accessDenied",
                    "Access Denied: Project acme: User does not have bigquery.jobs.create "
                    "permission in project acme.",
                ),
                "bigquery.jobs.create is part of roles/bigquery.jobUser on the project",
            ),
            (
                call_error(
                    api.Forbidden,
                    "accessDenied",
                    "Access Denied: Table acme:finops.bill: Permission "
                    "bigquery.tables.updateData denied",
                ),
                "bigquery.tables.updateData is part of roles/bigquery.dataEditor on the dataset",
            ),
            (
                call_error(
                    api.Forbidden,
                    "accessDenied",
                    "Access Denied: Project acme: User does not have bigquery.datasets.create",
                ),
                "roles/bigquery.user on the project, or a dataset that exists",
            ),
            (
                call_error(
                    api.Forbidden,
                    "quotaExceeded",
                    "Quota exceeded: Your table exceeded quota for imports or query appends per "
                    "table.",
                ),
                "imports or query appends per table.. Daily quotas come back over 24 hours",
            ),
            (
                call_error(
                    api.NotFound,
                    "notFound",
                    "Not found: Dataset acme:finops was not found in location EU",
                ),
                "in location EU. Check 'project_id', 'dataset' and 'location'",
            ),
        ],
        ids=["jobs", "tables", "datasets", "quota", "location"],
    )
    def test_error_says_what_to_do(self, error: Exception, advice: str) -> None:
        with pytest.raises(LoadError) as raised, bigquery_errors("Loading 2025-10"):
            raise error

        assert advice in str(raised.value)
        assert raised.value.__cause__ is error

    def test_signed_url_of_an_upload_does_not_reach_the_error(self) -> None:
        error = requests.ConnectionError("PUT https://host/upload?upload_id=abc&sig=secret failed")

        with pytest.raises(TransientLoadError) as raised, bigquery_errors("Staging"):
            raise error

        assert "upload?[redacted]" in str(raised.value)
        assert "secret" not in str(raised.value)


# What the service was recorded to answer, in public reports: reason, message, what is said of it,
# and whether the same call may succeed later.
RECORDED = [
    pytest.param(
        "rateLimitExceeded",
        "Exceeded rate limits: too many table update operations for this table. For more "
        "information, see https://cloud.google.com/bigquery/troubleshooting-errors",
        "set 'parallel_loads' to less; no role is missing",
        True,
        id="rate",
    ),
    pytest.param(
        "accessDenied",
        "Job exceeded rate limits: Your table exceeded quota for table update operations.",
        "set 'parallel_loads' to less; no role is missing",
        True,
        id="rate by its text",
    ),
    pytest.param(
        "quotaExceeded",
        "Quota exceeded: Your table exceeded quota for Number of partition modifications to a "
        "column partitioned table.",
        "Daily quotas come back over 24 hours",
        False,
        id="quota",
    ),
    pytest.param(
        "billingNotEnabled",
        "Access Denied: BigQuery BigQuery: Billing has not been enabled for this project. Enable "
        "billing at https://console.cloud.google.com/billing. DML queries are not allowed in the "
        "free tier. Set up a billing account to remove this restriction.",
        "or load into DuckDB: leave 'project_id' out",
        False,
        id="sandbox",
    ),
    pytest.param(
        "accessDenied",
        "Access Denied: BigQuery BigQuery: Streaming insert is not allowed in the free tier",
        "Link a billing account to the project",
        False,
        id="sandbox by its text",
    ),
    pytest.param(
        "quotaExceeded",
        "Quota exceeded: Your project exceeded quota for free query bytes scanned.",
        "The free queries of this month are used up. Link a billing account to the project",
        False,
        id="free queries",
    ),
    pytest.param(
        "forbidden",
        "The billing account for the owning project is disabled in state absent",
        "Link a billing account to the project",
        False,
        id="billing",
    ),
    pytest.param(
        "accessDenied",
        "VPC Service Controls: Request is prohibited by organization's policy. "
        "vpcServiceControlsUniqueIdentifier: -ZWUwU96cNc6",
        "A service perimeter keeps the request out; no role is missing",
        False,
        id="perimeter",
    ),
    pytest.param(
        "accessDenied",
        "Access Denied: BigQuery BigQuery: User has neither fine-grained reader nor masked get "
        'permission to get data protected by policy tag "finance : high" on column t.BilledCost.',
        "roles/datacatalog.categoryFineGrainedReader on the tags",
        False,
        id="policy tag",
    ),
    pytest.param(
        "accessDenied",
        "Access Denied: Table acme:finops.bill: User does not have full access for table "
        "acme:finops.bill due to row access policies.",
        "let an owner of the data create a policy with FILTER USING (TRUE) for it",
        False,
        id="row access policy",
    ),
    pytest.param(
        "conditionNotMet",
        "Resource bill did not meet condition IF_MATCH",
        "Another process changed the table since it was read. Run again",
        True,
        id="etag",
    ),
    pytest.param(
        "failedPrecondition",
        "Precondition check failed.",
        "Another process changed the table since it was read. Run again",
        True,
        id="etag in other words",
    ),
]


class TestRecorded:
    @pytest.mark.parametrize(("reason", "message", "advice", "passes"), RECORDED)
    def test_a_refusal_is_said_by_its_reason(
        self, reason: str, message: str, advice: str, *, passes: bool
    ) -> None:
        is_etag = reason in {"conditionNotMet", "failedPrecondition"}
        error = call_error(api.PreconditionFailed if is_etag else api.Forbidden, reason, message)

        with pytest.raises(LoadError) as called, bigquery_errors("Loading 2025-10"):
            raise error
        of_job = job_error("Loading 2025-10 failed", reason, message)

        for told in (called.value, of_job):
            assert type(told) is (TransientLoadError if passes else LoadError)
            assert message in str(told)
            assert advice in str(told)
            assert "is not allowed" not in str(told).replace("is not allowed in the free", "")
            assert "roles/bigquery.jobUser" not in str(told)
            assert told.is_of_run is False
        # Sent again as it is, a change of an old table is refused again.
        assert may_pass(error) is (passes and not is_etag)

    @pytest.mark.parametrize(
        ("message", "passes"),
        [
            ("Query error: Transaction is aborted due to concurrent update against table t", True),
            ("Could not serialize access to table t due to concurrent update", True),
            ("Query error: a row access policy hides rows from this account at [1:1]", False),
        ],
    )
    def test_what_ended_a_statement_is_said_although_its_reason_is_that_of_data(
        self, message: str, *, passes: bool
    ) -> None:
        error = call_error(api.BadRequest, "invalidQuery", message)
        with pytest.raises(LoadError) as called, bigquery_errors("Loading 2025-10"):
            raise error
        for told in (called.value, job_error("Loading 2025-10 failed", "invalidQuery", message)):
            assert isinstance(told, TransientLoadError) is passes
            assert told.is_of_run is False

    def test_the_place_of_a_job_is_no_part_of_a_message(self) -> None:
        said = "Access Denied: no.\n\nLocation: None\nJob ID: 2b1c\n"
        error = call_error(api.Forbidden, "accessDenied", said)
        expected = pytest.raises(LoadError, match=r"Access Denied: no\.\. The account")
        with expected, bigquery_errors("A dry run"):
            raise error

    def test_to_list_policies_is_a_right_of_owners(self) -> None:
        said = "Permission bigquery.rowAccessPolicies.list denied on table acme:finops.bill"
        error = call_error(api.Forbidden, "accessDenied", said)
        expected = pytest.raises(LoadError, match=r"is part of roles/bigquery\.dataOwner")
        with expected, bigquery_errors("Listing"):
            raise error

    def test_what_data_says_is_not_taken_for_a_refusal(self) -> None:
        error = job_error(
            "Loading failed", "invalid", "Error while reading data: Bad value 'Quota exceeded'"
        )
        assert error.is_of_run is True
        assert "24 hours" not in str(error)

    def test_a_job_that_is_waited_for_too_long_is_found_by_the_next_run(self) -> None:
        with pytest.raises(TransientLoadError) as raised, bigquery_errors("Loading 2025-10"):
            Future[None]().result(timeout=0)
        assert "the next run finds the job and does not start it twice" in str(raised.value)


class TestJobs:
    @pytest.mark.parametrize(
        ("reason", "message", "kind", "advice"),
        [
            (
                "invalid",
                "Cannot read and write in different locations: source: EU, destination: US",
                LoadError,
                "The bucket is in EU, the dataset in US",
            ),
            (
                "accessDenied",
                "Access Denied: File gs://bills/part.parquet: Access Denied",
                LoadError,
                "needs roles/storage.objectViewer on the bucket",
            ),
            (
                "accessDenied",
                "loader@acme.iam does not have storage.objects.get access",
                LoadError,
                "storage.objects.get is part of roles/storage.objectViewer on the bucket",
            ),
            (
                "accessDenied",
                "loader@acme.iam does not have storage.buckets.get access",
                LoadError,
                (
                    "storage.buckets.get is part of roles/storage.legacyBucketReader on the "
                    "bucket; roles/storage.objectViewer lacks it"
                ),
            ),
            (
                "invalid",
                "Cannot read in location: europe-west1",
                LoadError,
                "The job ran in europe-west1, where the dataset is, and the bucket is elsewhere",
            ),
            (
                "quotaExceeded",
                "Quota exceeded: Your table exceeded quota for Number of partition modifications",
                LoadError,
                "partition modifications. Daily quotas come back",
            ),
            (
                "invalid",
                (
                    "Provided Schema does not match Table acme:finops.bill. Field BilledCost has "
                    "changed type from BIGNUMERIC to STRING"
                ),
                SchemaError,
                "changed type from BIGNUMERIC to STRING. Load this export into a new 'table_name'",
            ),
            ("notFound", "Not found: URI gs://b/p", PartMissingError, "Run again"),
            (
                "invalid",
                "Some rows belong to different partitions rather than destination partition x",
                ReconciliationError,
                "rows of another month",
            ),
            ("backendError", "try again", TransientLoadError, "Run again"),
            ("stopped", "Job was cancelled", LoadError, "Job was cancelled"),
        ],
    )
    def test_job_that_failed_says_what_to_do(
        self, reason: str, message: str, kind: type[Exception], advice: str
    ) -> None:
        error = job_error("Loading failed, the old month is unchanged", reason, message)

        assert type(error) is kind
        assert advice in str(error)
        assert str(error).startswith("Loading failed, the old month is unchanged: ")

    @pytest.mark.parametrize(
        ("reason", "message", "is_of_run"),
        [
            ("invalid", "Error while reading data, file gs://b/p: corrupt", True),
            ("invalid", "Provided Schema does not match Table t", True),
            ("invalid", "Error while reading data: 'streaming buffer' is no number", True),
            ("invalid", "Incompatible table partitioning specification. Expects interval", False),
            ("invalid", "Incompatible table clustering specification.", False),
            ("invalidQuery", "without a filter over column(s) m for partition elimination", False),
            ("invalidQuery", "DELETE would affect rows in the streaming buffer", False),
            ("backendError", "try again", False),
            ("accessDenied", "Access Denied: gs://b/p", False),
            ("quotaExceeded", "Quota exceeded: loads", False),
            ("notFound", "Not found: URI gs://b/p", False),
            ("stopped", "Job was cancelled", False),
            ("resourcesExceeded", "Resources exceeded during query execution", False),
            ("timeout", "The job encountered an error and timed out", False),
            ("blocked", "The project is blocked", False),
            ("responseTooLarge", "Response too large to return", False),
            ("", "Something that nobody has seen yet", False),
        ],
    )
    def test_an_older_run_is_loaded_only_where_the_run_itself_is_at_fault(
        self, reason: str, message: str, *, is_of_run: bool
    ) -> None:
        assert job_error("Loading failed", reason, message).is_of_run is is_of_run

    @pytest.mark.parametrize(
        ("reason", "is_of_run"), [("invalidQuery", True), ("invalid", False), ("blocked", False)]
    )
    def test_a_call_that_is_no_query_says_nothing_against_a_run(
        self, reason: str, *, is_of_run: bool
    ) -> None:
        """It is refused for what it asks of a table, such as a change of its schema."""
        with pytest.raises(LoadError) as called, bigquery_errors("Loading 2025-10"):
            raise call_error(api.BadRequest, reason, "Cannot do that")
        assert called.value.is_of_run is is_of_run
