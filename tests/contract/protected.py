"""Tables with row access policies and policy tags, and what happens to them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.cloud import bigquery as bq

from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from contract.deliveries import Delivery, at, charges
from contract.places import DATASET, PROJECT, Case
from emulators.bigquery.access import LOADER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulators.fixtures import Cloud

__all__ = [
    "DATA_POLICIES",
    "LIST",
    "NEW",
    "OLD",
    "TAGS",
    "allow",
    "jobs_since",
    "policies",
    "tag",
    "tagged",
    "verdicts",
]

TABLE = f"{PROJECT}.{DATASET}.bill"
LIST = "bigquery.rowAccessPolicies.list"
TAGS = {"policyTags": {"names": ["projects/acme/locations/us/taxonomies/1/policyTags/2"]}}
DATA_POLICIES = {"dataPolicies": [{"name": "projects/acme/locations/us/dataPolicies/masked"}]}
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2", note="old"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="old",
)
NEW = replace(
    OLD,
    charges=charges("2025-10", "3", "4", "5", note="new"),
    submitted_at=at("2025-10-31 22:00"),
    run_id="new",
)


def allow(
    client: bq.Client, *, who: str = LOADER, condition: str = "TRUE", name: str = "p"
) -> None:
    """Makes a row access policy."""
    client.query_and_wait(
        f"CREATE ROW ACCESS POLICY {name} ON {TABLE} GRANT TO ('{who}') FILTER USING ({condition})"
    )


def policies(client: bq.Client) -> list[str]:
    """The row access policies of the table, by a request that needs no right here."""
    path = f"/projects/{PROJECT}/datasets/{DATASET}/tables/bill/rowAccessPolicies"
    answer: Any = client._connection.api_request(method="GET", path=path)  # noqa: SLF001
    return [one["rowAccessPolicyReference"]["policyId"] for one in answer["rowAccessPolicies"]]


def tag(client: bq.Client, column: str = "BilledCost", *, by: Mapping[str, Any] = TAGS) -> None:
    """Gives a column a policy tag or data policies of its own, as a person does."""
    table = client.get_table(TABLE)
    table.schema = [
        bq.SchemaField.from_api_repr({**one.to_api_repr(), **by}) if one.name == column else one
        for one in table.schema
    ]
    client.update_table(table, ["schema"])


def tagged(client: bq.Client) -> list[str]:
    """The columns of the table that have policy tags or data policies."""
    schema = client.get_table(TABLE).schema
    return [one.name for one in schema if one.policy_tags or one.data_policies]


def jobs_since(cloud: Cloud, before: int) -> list[dict[str, Any]]:
    """The jobs that changed the table of bills or its staging tables, as they were inserted."""
    return [
        job
        for job in cloud.bigquery.jobs()[before:]
        if re.search(r"'bill(?:_staging_\w+)?\$|BEGIN TRANSACTION", str(job["configuration"]))
    ]


def verdicts(case: Case) -> set[Verdict]:
    """What `verify` says of the months."""
    return {one.verdict for one in verify_source(case.settings, frozenset(), lambda _: None).months}
