"""`doctor` says of a table of BigQuery what a load says of it: no more, and no less."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
from google.cloud import bigquery as bq

from cloudbill.doctor.examination import examine
from contract.aws_deliveries import AwsFocusWriter
from contract.places import DATASET, PROJECT, Case
from contract.protected import NEW, OLD
from contract.rewriting import rewrite, with_columns

if TYPE_CHECKING:
    from cloudbill.doctor.check import Check

WAYS = (("azure parquet", "bigquery"), ("aws", "bigquery"))
OF_A_LOAD = "The month was not changed. "


def table_check(case: Case) -> Check:
    """What `doctor` finds of the types and partitions of the table."""
    (found,) = (one for one in examine([case.settings]) if one.subject.endswith(": table"))
    return found


def make_table(case: Case, client: bq.Client, **kinds: str) -> None:
    """A table that somebody else made, by the month of the period."""
    columns = {case.writer.period_column: "TIMESTAMP", case.writer.cost_column: "BIGNUMERIC"}
    name = f"{PROJECT}.{DATASET}.bill"
    client.create_dataset(DATASET, exists_ok=True)
    client.delete_table(name, not_found_ok=True)
    fields = [bq.SchemaField(column, held) for column, held in (columns | kinds).items()]
    table = bq.Table(name, schema=fields)
    table.time_partitioning = bq.TimePartitioning(type_="MONTH", field=case.writer.period_column)
    client.create_table(table)


def refusal_of(case: Case) -> str:
    """What `doctor` has to say after what a load says."""
    (failure,) = case.load().failures
    assert OF_A_LOAD in str(failure.error)
    return f"A load is refused. {str(failure.error).replace(OF_A_LOAD, '')}"


class TestTypes:
    def test_a_cost_that_a_load_refuses_is_noticed(self, case: Case, client: bq.Client) -> None:
        cost = case.writer.cost_column
        refused = ("FLOAT", "STRING", "INTEGER", "NUMERIC", "DATE")
        for held in refused:
            make_table(case, client, **{cost: held})
            without_run = table_check(case)
            assert not without_run.is_well
            assert cost in without_run.found
        case.deliver(OLD)
        for held in refused:
            make_table(case, client, **{cost: held})
            assert table_check(case).found == refusal_of(case)

    def test_a_period_that_is_no_time_is_noticed(self, case: Case, client: bq.Client) -> None:
        case.deliver(OLD)
        for held in ("DATETIME", "DATE"):
            make_table(case, client, **{case.writer.period_column: held})
            assert table_check(case).found == refusal_of(case)

    def test_any_other_column_that_a_load_refuses_is_noticed(
        self, case: Case, client: bq.Client
    ) -> None:
        make_table(case, client, **{case.writer.day_column: "BOOLEAN"})
        assert table_check(case).is_well
        case.deliver(OLD)
        assert table_check(case).found == refusal_of(case)

    def test_a_table_that_a_load_made_is_well(self, case: Case) -> None:
        case.deliver(OLD)
        assert case.load().exit_code == 0
        case.deliver(NEW)
        assert table_check(case).is_well
        assert case.load().exit_code == 0

    def test_doubles_go_into_an_exact_column_of_any_name_and_objects_into_one_of_objects(
        self, case: Case, client: bq.Client
    ) -> None:
        case = replace(case, writer=AwsFocusWriter())
        make_table(case, client, x_Rate="BIGNUMERIC")
        doubles = with_columns(x_Rate=lambda rows: pa.array([0.1] * rows))
        rewrite(case, OLD, doubles)
        assert table_check(case).is_well
        assert case.load().exit_code == 0
        assert set(case.values("x_Rate")) == {Decimal("0.1")}
        rewrite(case, NEW, doubles)
        assert table_check(case).is_well

    def test_a_view_with_the_name_of_the_table_gets_no_advice_about_partitions(
        self, case: Case, client: bq.Client
    ) -> None:
        name = f"{PROJECT}.{DATASET}.bill"
        make_table(case, client)
        schema = client.get_table(name).schema
        client.delete_table(name)
        client.create_table(bq.Table(f"{name}_source", schema=schema))
        view = bq.Table(name)
        view.view_query = f"SELECT * FROM `{name}_source`"  # noqa: S608
        client.create_table(view)
        case.deliver(OLD)
        (failure,) = case.load().failures
        assert "is no table of its own, but a view" in str(failure.error)
        assert not failure.error.is_of_run
        assert table_check(case).found == f"A load is refused. {failure.error}"
