"""The bucket that BigQuery loads from: whether the account sees it, and where it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine_source
from cloudbill.doctor.locations import is_near
from contract.faulty import OLD, Faulty
from emulators.fault_proxy import Edit, Status

if TYPE_CHECKING:
    from cloudbill.doctor.check import Check

BUCKET = r"/storage/v1/b/bills(\?.*)?$"


def place(faulty: Faulty, bucket: str, dataset: str | None = None) -> None:
    """Lets the bucket, and the dataset if it is there, be elsewhere."""

    def moved(location: str) -> Edit:
        text = f'"location":"{location}"'.encode()
        return Edit(lambda body: re.sub(rb'"location":\s*"[^"]*"', text, body))

    faulty.gcs.add("GET", BUCKET, moved(bucket), times=None)
    if dataset is not None:
        faulty.bigquery.add("GET", r"/datasets/finops(\?.*)?$", moved(dataset), times=None)


def check_of(faulty: Faulty, subject: str) -> Check:
    """What `doctor` says of one thing."""
    checks = examine_source(faulty.case.settings).checks
    (found,) = [check for check in checks if check.subject == f"azure_billing: {subject}"]
    return found


class TestRights:
    def test_an_account_that_does_not_see_its_bucket_is_told_which_role_has_that(
        self, faulty: Faulty
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.gcs.add("GET", BUCKET, Status(403, "forbidden"), times=None)
        found = check_of(faulty, "bucket")
        assert "storage.buckets.get is missing on gs://bills" in found.found
        assert "roles/storage.objectViewer lacks it" in found.found
        assert "roles/storage.legacyBucketReader on the bucket" in str(found.remedy)
        assert not check_of(faulty, "location").is_checked

    def test_a_bucket_that_does_not_answer_lacks_no_right(self, faulty: Faulty) -> None:
        faulty.case.deliver(OLD)
        faulty.gcs.add("GET", BUCKET, Status(404, "notFound"), times=None)
        found = check_of(faulty, "bucket")
        assert found.is_well
        assert not found.is_checked

    def test_an_account_that_sees_its_bucket_is_in_order(self, faulty: Faulty) -> None:
        faulty.case.deliver(OLD)
        assert check_of(faulty, "bucket").is_well

    def test_a_load_that_is_refused_names_the_role(self, faulty: Faulty) -> None:
        """The text is that of Cloud Storage, as users of load jobs recorded it."""
        from emulators.bigquery.errors import JobError

        def refuse(stage: str, job: dict[str, object]) -> None:
            if stage == "start" and job["kind"] == "load" and "bill$" in str(job["configuration"]):
                raise JobError(
                    "accessDenied",
                    "Access Denied: loader@acme.iam does not have storage.buckets.get access to "
                    "the Google Cloud Storage bucket.",
                )

        faulty.case.deliver(OLD)
        faulty.cloud.bigquery.faults.append(refuse)
        (failure,) = faulty.case.load().failures
        assert "part of roles/storage.legacyBucketReader on the bucket" in str(failure.error)


class TestLocations:
    def test_a_dataset_elsewhere_is_charged_for_transfer(self, faulty: Faulty) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        place(faulty, "EUROPE-WEST1", "US")
        found = check_of(faulty, "location")
        assert "the dataset is in US, the bucket in EUROPE-WEST1: each load is " in found.found
        assert found.remedy == "use a dataset in EUROPE-WEST1, or a bucket in US"

    def test_a_region_of_the_same_multi_region_is_near(self, faulty: Faulty) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        place(faulty, "EUROPE-WEST1", "EU")
        found = check_of(faulty, "location")
        assert found.is_well
        assert found.found == "the dataset is in EU, the bucket in EUROPE-WEST1"

    @pytest.mark.parametrize("location", ["EU", None])
    def test_before_there_is_a_dataset_the_configuration_counts(
        self, faulty: Faulty, location: str | None
    ) -> None:
        faulty.case.keys = {"location": location} if location else {}
        faulty.case.deliver(OLD)
        place(faulty, "ASIA-EAST1")
        found = check_of(faulty, "location")
        where = "EU" if location else "US, by BigQuery's default"
        assert f"the dataset will be created in {where}; the bucket is in ASIA-" in found.found
        assert "set 'location' to ASIA-EAST1 before the first load" in str(found.remedy)


@pytest.mark.parametrize(
    ("dataset", "bucket", "near"),
    [
        ("EU", "EUROPE-WEST1", True),
        ("EU", "EU", True),
        ("EU", "EUR4", True),
        ("europe-west1", "EU", True),
        ("europe-west1", "EUROPE-WEST1", True),
        ("us-east1", "US", True),
        ("US", "NAM4", True),
        ("US", "EUROPE-WEST1", False),
        ("EU", "EUROPE-WEST2", False),
        ("europe-west6", "EU", False),
        ("europe-west1", "EUROPE-WEST4", False),
        ("EU", "US-EAST1", False),
        ("EU", "NAM4", False),
        ("asia-east1", "US", False),
        ("asia-east1", "EUR4", False),
        ("europe-west4", "EUR4", None),
        ("EU", "EUR5", None),
    ],
)
def test_what_is_near(dataset: str, bucket: str, *, near: bool | None) -> None:
    assert is_near(dataset, bucket) is near
