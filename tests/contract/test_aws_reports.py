"""What is peculiar to Cost and Usage Reports, on both warehouses."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.exports.discovery import discover
from cloudbill.looking.verification import verify_source
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.setup.export_search import find_exports
from cloudbill.store import open_store
from cloudbill.store.folders import open_browser
from contract.deliveries import AwsWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case, DiskAndDuckDB, GcsAndBigQuery, Place
from samples import write_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulators.fixtures import Cloud
    from emulators.s3 import S3Emulator

PUBLIC_REPORT = "CLOUDBILL_PUBLIC_CUR"
"""Names a file with a public report, which is too large to lie here."""
LATE = at("2025-10-31 22:00")


NEEDED = ["bill/BillingPeriodStartDate", "lineItem/UnblendedCost", "lineItem/CurrencyCode"]
BILLED = ["2025-10-01T00:00:00Z", "1", "USD"]


@pytest.fixture
def case(place: Place, tmp_path: Path) -> Case:
    """AWS on a warehouse."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=AwsWriter(), scratch=scratch)


def comments(case: Case) -> dict[str, str]:
    """What each column of the table was called in the files."""
    if isinstance(case.place, DiskAndDuckDB):
        rows = case.place.query(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'bill'"
        )
        return {name: comment for name, comment in rows if comment}
    assert isinstance(case.place, GcsAndBigQuery)
    table = case.place.client().get_table(f"{PROJECT}.{DATASET}.bill")
    return {field.name: field.description for field in table.schema if field.description}


def report(
    folder: Path,
    header: list[str],
    rows: list[list[str]],
    types: dict[str, str],
    *,
    assembly: str = "one",
) -> None:
    """Writes a report of October 2025, one part, current; `types` is what its manifest lists."""
    home = folder / "transfer/cur/cur-hourly/20251001-20251101"
    home.mkdir(parents=True)
    with gzip.open(home / "cur-hourly-00001.csv.gz", "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    columns = [
        {"category": name.partition("/")[0], "name": name.partition("/")[2], "type": kind}
        for name, kind in types.items()
    ]
    manifest = {
        "assemblyId": assembly,
        "compression": "GZIP",
        "contentType": "text/csv",
        "billingPeriod": {"start": "20251001T000000.000Z", "end": "20251101T000000.000Z"},
        "columns": columns,
        "reportKeys": ["cur/cur-hourly/20251001-20251101/cur-hourly-00001.csv.gz"],
    }
    (home / "cur-hourly-Manifest.json").write_text(json.dumps(manifest))


class TestColumns:
    def test_headers_that_collide_get_a_column_each_and_keep_it(
        self, case: Case, tmp_path: Path
    ) -> None:
        first = [*NEEDED, "resourceTags/user:name", "product/ecu"]
        report(tmp_path / "1", first, [[*BILLED, "lower", "1"]], {})
        case.place.put(tmp_path / "1")
        assert case.load().exit_code == 0
        second = [
            *NEEDED,
            "resourceTags/user:Name",
            "product/ECU",
            "resourceTags/user:name",
            "product/ecu",
        ]
        cells = [*BILLED, "upper", "2", "lower", "1"]
        report(tmp_path / "2", second, [cells], {}, assembly="two")
        case.place.put(tmp_path / "2")
        assert case.load().exit_code == 0
        assert case.values("resource_tags_user_name") == ["lower"]
        assert case.values("resource_tags_user_name_2") == ["upper"]
        assert case.values("product_ecu") == ["1"]
        assert case.values("product_e_c_u") == ["2"]
        found = comments(case)
        assert found["resource_tags_user_name"] == "resourceTags/user:name"
        assert found["resource_tags_user_name_2"] == "resourceTags/user:Name"
        assert found["product_ecu"] == "product/ecu"

    def test_a_wide_report_with_long_tags_loads_and_its_headers_keep_their_columns(
        self, case: Case, tmp_path: Path
    ) -> None:
        # The emulator of BigQuery takes minutes for so many; the service does not.
        wide = 1_200 if isinstance(case.place, DiskAndDuckDB) else 60
        tags = [f"resourceTags/user:{'t' * 120}{index:04}" for index in range(wide)]
        first = [*NEEDED, "resourceTags/user:name", *tags]
        numbers = [f"{index}" for index in range(wide)]
        cells = [*BILLED, "lower", *numbers]
        report(tmp_path / "1", first, [cells], {})
        case.place.put(tmp_path / "1")
        assert case.load().exit_code == 0
        second = [*NEEDED, "resourceTags/user:Name", *reversed(tags), "resourceTags/user:name"]
        cells = [*BILLED, "upper", *reversed(numbers), "lower"]
        report(tmp_path / "2", second, [cells], {}, assembly="two")
        case.place.put(tmp_path / "2")
        assert case.load().exit_code == 0
        assert case.values("resource_tags_user_name") == ["lower"]
        assert case.values("resource_tags_user_name_2") == ["upper"]
        assert case.values(f"resource_tags_user_{'t' * 120}0059") == ["59"]

    def test_a_manifest_that_lists_fewer_columns_than_the_header_has_all_of_them_loaded(
        self, case: Case, tmp_path: Path
    ) -> None:
        header = [*NEEDED, "product/unheardOf"]
        rows = [["2025-10-01T00:00:00.000Z", "1.81E-8", "USD", "007"]]
        report(tmp_path / "1", header, rows, {"bill/BillingPeriodStartDate": "DateTime"})
        case.place.put(tmp_path / "1")
        assert case.load().exit_code == 0
        assert case.values("line_item_unblended_cost") == [Decimal("1.81E-8")]
        assert case.values("product_unheard_of") == ["007"]

    @pytest.mark.parametrize(
        "rows",
        [
            pytest.param([["2025-10-01T00:00:00Z", "1", "USD"]], id="too few cells"),
            pytest.param([["2025-10-01T00:00:00Z", "1", "USD", "x", "y"]], id="too many cells"),
            pytest.param([["2025-10-01T00:00:00Z", "one", "USD", "x"]], id="a word for an amount"),
        ],
    )
    def test_a_row_that_does_not_fit_leaves_the_old_month(
        self, case: Case, tmp_path: Path, rows: list[list[str]]
    ) -> None:
        old = Delivery(
            period="2025-10", charges=charges("2025-10", "1"), submitted_at=LATE, run_id="old"
        )
        case.deliver(old)
        case.load()
        header = [*NEEDED, "product/region"]
        report(tmp_path / "1", header, rows, {})
        case.place.put(tmp_path / "1")
        outcome = case.load()
        assert outcome.exit_code == 5
        assert case.held() == list(old.charges)


class TestBigQuery:
    @pytest.fixture
    def place(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> GcsAndBigQuery:
        """BigQuery alone."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
        return GcsAndBigQuery(cloud)

    def test_only_headers_travel_and_the_table_is_made_as_promised(
        self, case: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        from emulators.fault_proxy import FaultProxy

        (run,) = write_aws(tmp_path / "aws", months=1, rows=4_000, seed=1, runs_per_month=1)
        cloud.gcs.upload_tree(tmp_path / "aws", "bills", "transfer")
        sizes = sum(path.stat().st_size for path in run.part_paths)
        with FaultProxy(cloud.gcs.url) as proxy:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
            outcome = case.load()
            headers = proxy.bytes_read(r"cur-hourly-\d+\.csv")
        assert outcome.exit_code == 0
        assert [result.rows for result in outcome.results] == [4_000]
        assert 0 < headers <= 2 * 64 * 1024 < sizes
        jobs = [job for job in cloud.bigquery.jobs() if "bill$202510" in str(job["configuration"])]
        assert [job["kind"] for job in jobs] == ["load"]
        table = cloud.bigquery.client(PROJECT).get_table(f"{PROJECT}.{DATASET}.bill")
        assert table.time_partitioning.type_ == "MONTH"
        assert table.time_partitioning.field == "bill_billing_period_start_date"
        assert table.clustering_fields == ["line_item_usage_start_date"]
        types = {field.name: field.field_type for field in table.schema}
        assert types["line_item_unblended_cost"] == "BIGNUMERIC"
        assert types["line_item_usage_start_date"] == "TIMESTAMP"
        assert types["line_item_unblended_rate"] == "STRING"

    def test_s3_into_bigquery_gives_the_same_table_as_gs(
        self,
        case: Case,
        cloud: Cloud,
        s3: S3Emulator,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write_aws(tmp_path / "aws", months=1, rows=60, seed=1, runs_per_month=1)
        cloud.gcs.upload_tree(tmp_path / "aws", "bills", "transfer")
        s3.create_bucket("bills")
        s3.upload_tree(tmp_path / "aws", "bills", "transfer")
        assert case.load().exit_code == 0
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "REGION_NAME": "us-east-1",
            "ENDPOINT_URL": s3.url,
        }.items():
            monkeypatch.setenv(f"SOURCES__AWS_BILLING__CREDENTIALS__{name}", value)
        settings = dataclasses.replace(case.settings, bucket="s3://bills", table_name="from_s3")
        outcome = load_source(settings, Selection(), case.events.append)
        assert [str(failure.error) for failure in outcome.failures] == []
        assert [result.rows for result in outcome.results] == [60]
        names = sorted(case.place.columns("bill"))
        assert sorted(case.place.columns("from_s3")) == names
        assert case.place.columns("from_s3") == case.place.columns("bill")

        def rows(table: str) -> list[str]:
            found = case.place.query("SELECT * FROM {table}", table=table)
            order = list(case.place.columns(table))
            return sorted(str(sorted(zip(order, row, strict=True))) for row in found)

        assert rows("from_s3") == rows("bill")
        assert not [table for table in self.tables(cloud) if "staging" in table]

    def tables(self, cloud: Cloud) -> Iterator[str]:
        """The names of the tables that are there."""
        for table in cloud.bigquery.client(PROJECT).list_tables(f"{PROJECT}.{DATASET}"):
            yield table.table_id


class TestFoldersWithoutAName:
    """AWS wrote such keys for prefixes that end in a slash, and for reports without a prefix."""

    @pytest.fixture
    def on_s3(self, s3: S3Emulator, monkeypatch: pytest.MonkeyPatch) -> S3Emulator:
        s3.create_bucket("bills")
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "REGION_NAME": "us-east-1",
            "ENDPOINT_URL": s3.url,
        }.items():
            monkeypatch.setenv(f"SOURCES__AWS_BILLING__CREDENTIALS__{name}", value)
        return s3

    @pytest.mark.parametrize(
        ("keys", "prefix"),
        [("cur/1234//", "cur/1234/"), ("/", ""), ("/", "/")],
        ids=["prefix with a slash at its end", "no prefix", "a slash as prefix"],
    )
    def test_their_reports_are_found_and_loaded(
        self, case: Case, on_s3: S3Emulator, keys: str, prefix: str
    ) -> None:
        delivery = Delivery(
            period="2025-10", charges=charges("2025-10", "1", "2"), submitted_at=LATE, run_id="r"
        )
        written = case.write(delivery)
        home = written.folder / case.writer.prefix
        for file in sorted(path for path in home.rglob("*") if path.is_file()):
            below = file.relative_to(home).as_posix()
            content = file.read_bytes().replace(b'"cur/', f'"{keys}'.encode())
            on_s3.put("bills", f"{keys}{below}", content)
        settings = dataclasses.replace(case.settings, bucket="s3://bills", prefix=prefix)
        outcome = load_source(settings, Selection(), case.events.append)
        assert [str(failure.error) for failure in outcome.failures] == []
        assert case.held() == list(delivery.charges)
        assert verify_source(settings, frozenset(), lambda _: None).exit_code(strict=True) == 0

    def test_init_finds_them_with_a_prefix_that_a_load_finds_them_by(
        self, on_s3: S3Emulator, tmp_path: Path
    ) -> None:
        runs = write_aws(tmp_path / "aws", months=1, rows=40, seed=1)
        for keys in ("x/", "cur/1234//", "/"):
            for file in sorted(
                path for path in (tmp_path / "aws/cur").rglob("*") if path.is_file()
            ):
                name = file.relative_to(tmp_path / "aws/cur").as_posix()
                on_s3.put("bills", f"{keys}{name}", file.read_bytes())
        store = open_store("s3://bills", sections=("sources", "aws_billing"))
        browser = open_browser(store, sections=("sources", "aws_billing"), retry_for_s=2)
        found = find_exports(store, browser)
        assert {(one.prefix, one.export_name) for one in found.exports} == {
            ("x", "cur-hourly"),
            ("cur/1234/", "cur-hourly"),
            ("", "cur-hourly"),
        }
        for one in found.exports:
            discovery = discover(
                store, one.provider, prefix=one.prefix, export_name=one.export_name
            )
            assert {run.manifest.run_id for run in discovery.runs} == {run.run_id for run in runs}
            assert all(run.is_complete for run in discovery.runs)


@pytest.mark.parametrize("sign", ["*", "?", "[ab]", "#1"])
def test_a_part_whose_name_has_a_sign_is_loaded_and_no_other_with_it(
    case: Case, sign: str, request: pytest.FixtureRequest
) -> None:
    """BigQuery may take each of them for more than itself, so such parts are uploaded."""
    delivery = Delivery(
        period="2025-10", charges=charges("2025-10", "1", "2"), submitted_at=LATE, run_id="r"
    )
    written = case.write(delivery)
    part, _ = written.parts
    # As a pattern it would mean the other part as well.
    starred = part.rename(part.with_name(f"cur-hourly-{sign}.csv.gz"))
    for manifest in written.folder.rglob("*-Manifest.json"):
        times = manifest.stat()
        manifest.write_text(manifest.read_text().replace(part.name, starred.name))
        os.utime(manifest, (times.st_atime, times.st_mtime))
    case.place.put(written.folder)
    outcome = case.load()
    assert [str(failure.error) for failure in outcome.failures] == []
    assert case.held() == list(delivery.charges)
    if case.place.name == "bigquery":
        cloud: Cloud = request.getfixturevalue("cloud")
        assert [job for job in cloud.bigquery.jobs() if job["kind"] == "copy"]


@pytest.mark.skipif(
    PUBLIC_REPORT not in os.environ, reason=f"{PUBLIC_REPORT} does not name a public report"
)
def test_a_public_report_has_the_totals_that_decimal_says(case: Case, tmp_path: Path) -> None:
    with Path(os.environ[PUBLIC_REPORT]).open(encoding="utf-8-sig", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert sum("E" in cell and "/" not in cell for row in rows for cell in row) > 4000
    start = header.index("bill/BillingPeriodStartDate")
    # The report is of another month; its amounts are what counts.
    moved = [[*row[:start], "2025-10-01T00:00:00.000Z", *row[start + 1 :]] for row in rows]
    report(tmp_path / "1", header, moved, {})
    case.place.put(tmp_path / "1")
    (result,) = case.load().results
    assert result.rows == len(rows)
    columns = {
        "lineItem/UnblendedCost": "line_item_unblended_cost",
        "lineItem/BlendedCost": "line_item_blended_cost",
        "pricing/publicOnDemandCost": "pricing_public_on_demand_cost",
        "reservation/EffectiveCost": "reservation_effective_cost",
        "savingsPlan/SavingsPlanEffectiveCost": "savings_plan_savings_plan_effective_cost",
    }
    for name, column in columns.items():
        index = header.index(name)
        expected = sum((Decimal(row[index]) for row in rows if row[index]), Decimal(0))
        assert result.totals["USD"][column] == expected
