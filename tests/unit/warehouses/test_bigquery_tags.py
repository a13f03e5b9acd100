"""Which columns of BigQuery have what a copy of the table would lose."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import bigquery

from cloudbill.warehouses.bigquery.column_tags import is_tagged, untagged

TAGS = {"policyTags": {"names": ["projects/p/locations/eu/taxonomies/1/policyTags/2"]}}
POLICIES = {"dataPolicies": [{"name": "projects/p/locations/eu/dataPolicies/masked"}]}


def field(**properties: Any) -> bigquery.SchemaField:
    """A column of amounts."""
    stated = {"name": "BilledCost", "type": "BIGNUMERIC", "mode": "NULLABLE"}
    return bigquery.SchemaField.from_api_repr(stated | properties)


@pytest.mark.parametrize("given", [TAGS, POLICIES, TAGS | POLICIES], ids=["tags", "own", "both"])
def test_tags_and_data_policies_of_a_column_are_seen_and_left_to_the_table(
    given: dict[str, Any],
) -> None:
    tagged = field(**given)
    assert is_tagged(tagged)
    assert untagged([tagged]) == [field()]


def test_a_plain_column_is_left_as_it_is() -> None:
    plain = field(description="BilledCost")
    assert not is_tagged(plain)
    assert untagged([plain]) == [plain]
