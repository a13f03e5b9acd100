"""Parquet columns of names that BigQuery refuses: which one, why, and what to do, in any way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from cloudbill.doctor.examination import examine
from cloudbill.errors import SchemaError
from contract.places import Case
from contract.protected import NEW, OLD, jobs_since
from contract.rewriting import rewrite, with_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulators.fixtures import Cloud

WAYS = (("azure parquet", "bigquery"),)


def named(name: str, kind: pa.DataType) -> Callable[[bytes], bytes]:
    """One more column of this name and type."""
    return with_columns(**{name: lambda rows: pa.array([1] * rows, pa.int64()).cast(kind)})


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("cost (EUR)", pa.string(), "it takes no ( and no ) in a name"),
        ("list.price", pa.float64(), "it takes no . in a name"),
        ("_Table_name", pa.string(), "names that begin with _TABLE_ are its own"),
    ],
)
def test_what_is_certain_is_said_by_load_and_doctor_before_a_job(
    case: Case, cloud: Cloud, name: str, values: pa.DataType, why: str
) -> None:
    case.deliver(OLD)
    assert case.load().exit_code == 0
    rewrite(case, NEW, named(name, values))
    before = len(cloud.bigquery.jobs())
    (failure,) = case.load().failures
    said = str(failure.error)
    assert isinstance(failure.error, SchemaError)
    assert f"BigQuery takes no column with the name '{name}', as gs://" in said
    assert f"has one: {why}. The month was not changed. Give the column another name" in said
    assert jobs_since(cloud, before) == []
    assert case.held() == list(OLD.charges)
    (check,) = [one for one in examine([case.settings]) if one.subject.endswith(": table")]
    assert f"A load is refused. BigQuery takes no column with the name '{name}'" in check.found


def test_what_only_the_service_knows_it_says_itself_and_what_to_do_is_added(case: Case) -> None:
    case.deliver(OLD)
    assert case.load().exit_code == 0
    rewrite(case, NEW, named("cost in \u20ac", pa.string()))
    (failure,) = case.load().failures
    said = str(failure.error)
    assert isinstance(failure.error, SchemaError)
    assert 'Invalid field name "cost in \u20ac"' in said
    assert "Give the column another name where the export is made" in said
    assert case.held() == list(OLD.charges)
