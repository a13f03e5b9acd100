"""What `doctor` says of the rights of the account, of row access policies and of policy tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.doctor.examination import examine
from contract.places import Case
from contract.protected import DATA_POLICIES, LIST, NEW, OLD, TAGS, allow, jobs_since, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

WAYS = (("azure parquet", "bigquery"),)


def found(case: Case, subject: str) -> str:
    """What `doctor` finds of a subject, and what is to be done."""
    return "\n".join(
        f"{'well' if one.is_well else 'not well'}: {one.found} {one.remedy or ''}"
        for one in examine([case.settings])
        if one.subject.endswith(f": {subject}")
    )


@pytest.fixture
def loaded(case: Case) -> Case:
    """A case whose table holds a run."""
    case.deliver(OLD)
    assert case.load().exit_code == 0
    return case


def test_the_rights_on_the_table_are_named(loaded: Case, cloud: Cloud) -> None:
    assert found(loaded, "rights") == "well: bill can be read and written "
    cloud.bigquery.deny("bigquery.tables.updateData")
    said = found(loaded, "rights")
    assert said.startswith("not well: bigquery.tables.updateData is missing on bill")
    assert "roles/bigquery.dataEditor" in said


@pytest.mark.parametrize("permission", ["bigquery.tables.create", "bigquery.tables.list"])
def test_rights_on_the_dataset_are_asked_for(case: Case, cloud: Cloud, permission: str) -> None:
    cloud.bigquery.client("acme").create_dataset("finops")
    assert found(case, "creation") == "well: tables of finops can be created and listed "
    cloud.bigquery.deny(permission)
    said = found(case, "creation")
    assert said.startswith("not well: ")
    assert f"Permission {permission} denied on dataset acme:finops" in said
    assert said.endswith("grant the account roles/bigquery.dataEditor on the dataset")


def test_a_table_that_is_not_there_inherits_the_rights_of_another(
    case: Case, client: bq.Client, cloud: Cloud
) -> None:
    client.create_dataset("finops")
    said = "well: BigQuery tells rights of tables alone, and no table of finops is seen "
    assert found(case, "rights") == said
    client.create_table("acme.finops.other")
    assert found(case, "rights") == "well: other can be read and written "
    cloud.bigquery.deny("bigquery.tables.delete")
    assert "bigquery.tables.delete is missing on other" in found(case, "rights")


def test_a_dataset_that_the_account_may_not_make_is_told_before_the_first_load(
    case: Case, cloud: Cloud
) -> None:
    assert "acme.finops does not exist yet; the first load creates it" in found(case, "dataset")
    cloud.bigquery.deny("bigquery.datasets.create")
    said = found(case, "dataset")
    assert "User does not have bigquery.datasets.create permission in project acme" in said
    assert "roles/bigquery.user on the project, or create the dataset" in said
    case.deliver(OLD)
    outcome = case.load()
    assert outcome.exit_code == 5
    assert [str(one) for one in cloud.bigquery.client("acme").list_datasets()] == []


def test_a_plain_table_has_nothing_to_protect(loaded: Case, cloud: Cloud) -> None:
    said = "well: bill has no row access policies and no policy tags or data policies "
    assert found(loaded, "protection") == said
    cloud.bigquery.deny(LIST)
    assert f"no row access policies, as a query says (to list them is {LIST})" in found(
        loaded, "protection"
    )


@pytest.mark.parametrize("by", [TAGS, DATA_POLICIES], ids=["policy tags", "data policies"])
def test_policies_and_tags_are_listed(
    loaded: Case, client: bq.Client, cloud: Cloud, by: Mapping[str, Any]
) -> None:
    allow(client, name="everything")
    tag(client, by=by)
    said = found(loaded, "protection")
    assert said.startswith("well: bill has row access policies (everything) and policy tags or ")
    assert "data policies on BilledCost: months are replaced by a transaction" in said
    assert "If this account is a masked reader of BilledCost, it sees 0 or NULL there" in said
    cloud.bigquery.deny(LIST)
    assert "bill has row access policies, as a query says" in found(loaded, "protection")


def test_an_account_that_is_kept_from_rows_or_columns_is_told(
    loaded: Case, client: bq.Client, cloud: Cloud
) -> None:
    allow(client, who="user:ada@example.com")
    tag(client)
    cloud.bigquery.deny("datacatalog.categories.fineGrainedGet")
    rows, _, columns = found(loaded, "protection").partition("\nnot well: ")
    assert "not well: A row access policy hides rows of finops.bill" in rows
    assert "of 2025-10 it sees 0 of 2" in rows
    assert "FILTER USING (TRUE)" in rows
    assert "roles/datacatalog.categoryFineGrainedReader" in columns


def test_a_policy_that_shows_all_rows_and_is_not_true_is_told_by_doctor_and_by_a_load(
    loaded: Case, client: bq.Client, cloud: Cloud
) -> None:
    # It shows the rows that there are, and a statement that changes a table needs the filter TRUE.
    allow(client, condition="BilledCost > 0")
    said = found(loaded, "protection")
    assert said.startswith(
        "not well: This account sees all rows of finops.bill now, but no policy with the filter "
        "TRUE lets it change them, which replacing a month needs."
    )
    assert "FILTER USING (TRUE)`" in said
    loaded.deliver(NEW)
    before = len(cloud.bigquery.jobs())
    (failure,) = loaded.load().failures
    assert said.removeprefix("not well: ").partition(". ")[0] in str(failure.error)
    assert jobs_since(cloud, before) == []
    allow(client, name="all")
    assert found(loaded, "protection").startswith("well: bill has row access policies (all, p)")
    assert loaded.load().exit_code == 0
