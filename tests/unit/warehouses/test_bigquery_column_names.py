"""Which names of columns are certain to be refused by BigQuery, and why."""

from __future__ import annotations

import pytest
from google.api_core import exceptions as api

from cloudbill.errors import LoadError, SchemaError
from cloudbill.manifests import Column, ColumnType
from cloudbill.warehouses.bigquery.column_names import fault_of_name, require_names
from cloudbill.warehouses.bigquery.errors import bigquery_errors, job_error


@pytest.mark.parametrize(
    "name",
    [
        "BilledCost",
        "x_1",
        "2025",
        "cost & more-1 %=+:'<>#|",
        "col\u00e9",
        "\u5217",
        "_tables",
        "n" * 300,
    ],
)
def test_a_legal_name_has_no_fault(name: str) -> None:
    assert fault_of_name(name) is None


@pytest.mark.parametrize("sign", '!"$()*,./;?@[\\]^`{}~')
def test_a_sign_that_is_documented_as_not_supported_is_named(sign: str) -> None:
    assert fault_of_name(f"a{sign}b") == f"it takes no {sign} in a name"


@pytest.mark.parametrize(
    "prefix",
    [
        "_TABLE_",
        "_FILE_",
        "_PARTITION",
        "_ROW_TIMESTAMP",
        "__ROOT__",
        "_COLIDENTIFIER",
        "_CHANGE_SEQUENCE_NUMBER",
        "_CHANGE_TYPE",
        "_CHANGE_TIMESTAMP",
    ],
)
def test_a_reserved_prefix_is_named_in_any_case(prefix: str) -> None:
    for name in (prefix, f"{prefix.lower()}x"):
        assert fault_of_name(name) == f"names that begin with {prefix} are its own"


def test_a_long_name_is_counted() -> None:
    assert fault_of_name("n" * 301) == "it has 301 characters, and at most 300 are allowed"


def test_the_part_the_column_and_what_to_do_are_said() -> None:
    tag = Column(name="tag/team (old)", target="tag/team (old)", type=ColumnType.STRING)
    with pytest.raises(SchemaError) as refused:
        require_names([("gs://b/one.parquet", []), ("gs://b/two.parquet", [tag])])
    said = str(refused.value)
    assert "no column with the name 'tag/team (old)', as gs://b/two.parquet has one" in said
    assert "it takes no ( and no ) and no / in a name" in said
    assert "in the query of a Data Export of AWS by AS" in said


# As the service was recorded to say them: github.com/ibis-project/ibis/issues/8931,
# metabase/metabase/issues/17918, dbt-labs/dbt-external-tables/issues/175 and
# z3z1ma/target-bigquery/issues/120.
ILLEGAL_NAMES = (
    (
        'Invalid field name "cost (EUR)". Fields must contain the allowed characters, and be at '
        "most 300 characters long. For allowed characters, please refer to "
        "https://cloud.google.com/bigquery/docs/schemas#column_names"
    ),
    (
        'Invalid field name "My custom column". Fields must contain only letters, numbers, and '
        "underscores, start with a letter or underscore, and be at most 300 characters long."
    ),
    (
        'Invalid field name "_file_name". Field names are not allowed to start with the '
        "(case-insensitive) prefixes _PARTITION, _TABLE_, _FILE_, _ROW_TIMESTAMP, __ROOT__ and "
        "_COLIDENTIFIER"
    ),
    "Field first_name already exists in schema",
)


class TestIllegalNames:
    @pytest.mark.parametrize("message", ILLEGAL_NAMES)
    def test_the_column_and_what_to_do_are_said_of_jobs_and_calls(self, message: str) -> None:
        post = "POST https://bigquery.googleapis.com/bigquery/v2/projects/p/datasets/d/tables: "
        errors = [job_error("Job x", "invalid", message)]
        with pytest.raises(LoadError) as raised, bigquery_errors("Creating bill"):
            raise api.BadRequest(
                f"{post}{message}", errors=[{"reason": "invalid", "message": message}]
            )
        for error in (*errors, raised.value):
            assert type(error) is SchemaError
            assert message in str(error)
            assert "Give the column another name where the export is made" in str(error)
            assert "deactivating the cost allocation tag" in str(error)
            assert error.is_of_run

    def test_data_that_says_so_is_data(self) -> None:
        quoted = f"Error while reading data, error message: Could not parse '{ILLEGAL_NAMES[0]}'"
        error = job_error("Job x", "invalid", quoted)
        assert type(error) is LoadError
