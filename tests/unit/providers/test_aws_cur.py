"""The manifests of AWS Cost and Usage Reports, as they were seen and as they may go wrong."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from cloudbill.errors import ManifestError
from cloudbill.manifests import Column, ColumnType, Manifest, Part
from cloudbill.periods import BillingPeriod
from cloudbill.providers import aws_cur, provider_of
from unit.builders import MODIFIED_AT, OCTOBER, encoded, listing, stored

REPORT = "cur-hourly"
ROOT = f"cur/{REPORT}/"
RANGE = "20251001-20251101"
RUN_ID = "8f2c6c0e-5a3e-4d57-9f0a-2f1f0ce5b7aa"
CURRENT_PATH = f"{ROOT}{RANGE}/{REPORT}-Manifest.json"
RUN_PATH = f"{ROOT}{RANGE}/{RUN_ID}/{REPORT}-Manifest.json"
PARTS = tuple(f"{REPORT}-{number:05d}.csv.gz" for number in (1, 2))


def column(category: str | None, name: str, kind: str | None = None) -> dict[str, str]:
    """An entry of `columns`; None takes a key out."""
    values = {"category": category, "name": name, "type": kind}
    return {key: value for key, value in values.items() if value is not None}


def document(**changes: Any) -> dict[str, Any]:
    """A manifest as AWS writes it; None takes a key out."""
    whole: dict[str, Any] = {
        "assemblyId": RUN_ID,
        "account": "123456789012",
        "columns": [
            column("identity", "TimeInterval", "Interval"),
            column("bill", "BillingPeriodStartDate", "DateTime"),
            column("lineItem", "UnblendedRate", "String"),
            column("lineItem", "UnblendedCost", "OptionalBigDecimal"),
        ],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": "0" * 64,
        "reportName": REPORT,
        "billingPeriod": {"start": "20251001T000000.000Z", "end": "20251101T000000.000Z"},
        "bucket": "billing-of-somebody",
        "reportKeys": [f"cur/{REPORT}/{RANGE}/{RUN_ID}/{part}" for part in PARTS],
        "additionalArtifactKeys": [
            {"artifactType": "RedshiftManifest", "name": f"{REPORT}-RedshiftManifest.json"}
        ],
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


def read(
    content: dict[str, Any] | bytes, *paths: str, path: str = RUN_PATH, root: str = ROOT
) -> Manifest:
    """The manifest of a document that lies at `path`, with other objects below the root."""
    return aws_cur.read_manifest(
        content if isinstance(content, bytes) else encoded(content),
        stored=stored(path),
        root=root,
        export=REPORT,
        listing=listing(*paths),
    )


class TestWhereManifestsLie:
    @pytest.mark.parametrize(
        "path",
        [
            f"{RANGE}/{REPORT}-Manifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-Manifest.json",
            f"{RANGE}/20251022T010000Z/{REPORT}-Manifest.json",
        ],
        ids=["current or overwritten", "assembly", "timestamp"],
    )
    def test_manifest_is_known_by_its_path(self, path: str) -> None:
        assert aws_cur.is_manifest(path, REPORT)

    @pytest.mark.parametrize(
        "path",
        [
            f"{REPORT}-Manifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-RedshiftManifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-QuickSightManifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-daily-Manifest.json",
            f"{RANGE}/{RUN_ID}/my-{REPORT}-Manifest.json",
            f"{RANGE}/{RUN_ID}/Manifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-Manifest.json.bak",
            f"{RANGE}/{RUN_ID}/{REPORT}-Manifest.json\n",
            f"{RANGE}/{RUN_ID}/deeper/{REPORT}-Manifest.json",
            f"{RANGE}/{RUN_ID}/{REPORT}-00001.csv.gz",
            f"{RANGE}//{REPORT}-Manifest.json",
            f"{REPORT}/year=2025/month=10/{REPORT}-Manifest.json",
            f"year=2025/month=10/{REPORT}-Manifest.json",
            f"2025-10/{REPORT}-Manifest.json",
            f"other/{RANGE}/{REPORT}-Manifest.json",
            f"٢٠٢٥١٠٠١-20251101/{REPORT}-Manifest.json",
        ],
    )
    def test_other_paths_are_no_manifests(self, path: str) -> None:
        assert not aws_cur.is_manifest(path, REPORT)

    def test_name_of_a_report_may_hold_dots_and_dashes(self) -> None:
        assert aws_cur.is_manifest(f"{RANGE}/a.b-c-Manifest.json", "a.b-c")
        assert not aws_cur.is_manifest(f"{RANGE}/aXb-c-Manifest.json", "a.b-c")

    @pytest.mark.parametrize(
        ("prefix", "export", "roots"),
        [
            ("cur", "report", ("cur/report/", "cur/")),
            ("", "report", ("report/", "/report/", "")),
            ("/", "report", ("report/", "//report/", "/report/", "")),
            ("cur/1234/", "report", ("cur/1234/report/", "cur/1234//report/", "cur/1234/")),
            (
                "/a//b/",
                "/report/",
                ("a/b/report/", "/a//b//report/", "/a//b/report/", "a/b/"),
            ),
        ],
        ids=["prefix", "no prefix", "slash", "slash at the end", "too many slashes"],
    )
    def test_folders_of_a_report_may_be_missing_or_have_no_name(
        self, prefix: str, export: str, roots: tuple[str, ...]
    ) -> None:
        assert aws_cur.export_roots(prefix, export) == roots

    def test_provider_is_known_by_its_name(self) -> None:
        assert provider_of("aws") is aws_cur


class TestGoodManifest:
    def test_all_values_are_read(self) -> None:
        assert read(document()) == Manifest(
            provider="aws",
            export=REPORT,
            path=RUN_PATH,
            run_id=RUN_ID,
            period=OCTOBER,
            covers_from=date(2025, 10, 1),
            covers_to=date(2025, 10, 31),
            submitted_at=MODIFIED_AT,
            scope="123456789012",
            stored_at=MODIFIED_AT,
            states_days=False,
            file_format="csv",
            parts=tuple(Part(path=f"{ROOT}{RANGE}/{RUN_ID}/{part}") for part in PARTS),
            columns=(
                Column(
                    name="identity/TimeInterval",
                    target="identity_time_interval",
                    type=ColumnType.STRING,
                ),
                Column(
                    name="bill/BillingPeriodStartDate",
                    target="bill_billing_period_start_date",
                    type=ColumnType.TIMESTAMP,
                ),
                Column(
                    name="lineItem/UnblendedRate",
                    target="line_item_unblended_rate",
                    type=ColumnType.STRING,
                ),
                Column(
                    name="lineItem/UnblendedCost",
                    target="line_item_unblended_cost",
                    type=ColumnType.DECIMAL,
                ),
            ),
            rows=None,
        )

    def test_manifest_in_the_folder_of_the_range_names_the_current_run(self) -> None:
        assert read(document(), path=CURRENT_PATH).is_current
        assert not read(document(), path=RUN_PATH).is_current
        assert read(document(), path=f"cur/{RANGE}/{REPORT}-Manifest.json", root="cur/").is_current

    @pytest.mark.parametrize(
        ("start", "end", "last_day"),
        [
            ("20250201T000000.000Z", "20250301T000000.000Z", date(2025, 2, 28)),
            ("2025-02-01T00:00:00Z", "2025-03-01T00:00:00.000Z", date(2025, 2, 28)),
            ("20250210T000000.000Z", "20250220T120000.000Z", date(2025, 2, 20)),
        ],
        ids=["as written", "other spelling", "part of a month"],
    )
    def test_end_of_the_period_is_exclusive(self, start: str, end: str, last_day: date) -> None:
        found = read(document(billingPeriod={"start": start, "end": end}))

        assert found.period == BillingPeriod(year=2025, month=2)
        assert found.covers_from.month == 2
        assert found.covers_to == last_day

    def test_what_is_silent_or_unknown_is_passed_over(self) -> None:
        content = document(
            columns=None, compression=None, contentType=None, reportName=None, sanitised={"by": 1}
        )

        found = read(b"\xef\xbb\xbf" + encoded(content))

        assert found.columns is None
        assert found.file_format == "csv"
        assert found.submitted_at == datetime(2025, 10, 22, 1, 30, tzinfo=UTC)


class TestPartsAreFound:
    """By the longest end of a key that lies below the root; never outside, never another run's."""

    KEY = f"cur/{REPORT}/{RANGE}/{RUN_ID}/{PARTS[0]}"

    def found(self, key: str, *paths: str, path: str = RUN_PATH, root: str = ROOT) -> str:
        """Where the only part of a run is looked for."""
        (part,) = read(document(reportKeys=[key]), *paths, path=path, root=root).parts
        return part.path

    @pytest.mark.parametrize(
        "key",
        [
            KEY,
            f"{REPORT}/{RANGE}/{RUN_ID}/{PARTS[0]}",
            f"another/prefix//{REPORT}/{RANGE}/{RUN_ID}/{PARTS[0]}",
            f"{RANGE}/{RUN_ID}/{PARTS[0]}",
        ],
        ids=["same prefix", "no prefix", "other prefix and odd slashes", "range alone"],
    )
    @pytest.mark.parametrize("path", [CURRENT_PATH, RUN_PATH], ids=["current", "assembly"])
    def test_part_of_an_assembly_lies_in_its_folder(self, key: str, path: str) -> None:
        expected = f"{ROOT}{RANGE}/{RUN_ID}/{PARTS[0]}"

        assert self.found(key, expected, path=path) == expected
        assert self.found(key, path=path) == expected

    def test_part_of_an_overwritten_report_lies_beside_its_manifest(self) -> None:
        key = f"cur/{REPORT}/{RANGE}/{PARTS[0]}"

        assert self.found(key, path=CURRENT_PATH) == f"{ROOT}{RANGE}/{PARTS[0]}"

    def test_folder_of_the_report_may_be_lost(self) -> None:
        path = f"cur/{RANGE}/{REPORT}-Manifest.json"

        assert self.found(self.KEY, path=path, root="cur/") == f"cur/{RANGE}/{RUN_ID}/{PARTS[0]}"
        assert self.found(self.KEY, path=path[4:], root="") == f"{RANGE}/{RUN_ID}/{PARTS[0]}"

    def test_longest_end_of_a_key_is_taken(self) -> None:
        longer = f"cur/{REPORT}/{RANGE}/{RUN_ID}/{PARTS[0]}"
        shorter = f"cur/{RANGE}/{RUN_ID}/{PARTS[0]}"
        path = f"cur/{RANGE}/{REPORT}-Manifest.json"

        assert self.found(self.KEY, longer, shorter, path=path, root="cur/") == longer
        assert self.found(self.KEY, shorter, path=path, root="cur/") == shorter

    @pytest.mark.parametrize(
        "path",
        [
            f"{ROOT}{RANGE}/another-run/{PARTS[0]}",
            f"{ROOT}20250901-20251001/{RUN_ID}/{PARTS[0]}",
            f"{ROOT}{RANGE}/{PARTS[0]}",
            f"{ROOT}{PARTS[0]}",
            f"{ROOT}{REPORT}/year=2025/month=10/{PARTS[0]}",
        ],
        ids=["other run", "other month", "overwritten", "root", "Parquet"],
    )
    def test_file_of_the_same_name_elsewhere_is_not_the_part(self, path: str) -> None:
        assert self.found(self.KEY, path) == f"{ROOT}{RANGE}/{RUN_ID}/{PARTS[0]}"

    def test_key_without_a_range_is_looked_for_beside_the_manifest(self) -> None:
        assert self.found(f"flat/{PARTS[0]}") == f"{ROOT}{RANGE}/{RUN_ID}/{PARTS[0]}"

    def test_every_key_is_a_part(self) -> None:
        keys = [f"cur/{REPORT}/{RANGE}/{RUN_ID}/{REPORT}-{n}.csv.gz" for n in range(1, 31)]

        assert len(read(document(reportKeys=keys)).parts) == 30

    def test_run_may_have_no_parts(self) -> None:
        assert read(document(reportKeys=[])).parts == ()


class TestTypes:
    """From the manifest, else as AWS documents the column, else text."""

    @pytest.mark.parametrize(
        ("stated", "kind"),
        [
            ("String", ColumnType.STRING),
            ("OptionalString", ColumnType.STRING),
            ("BigDecimal", ColumnType.DECIMAL),
            ("OptionalBigDecimal", ColumnType.DECIMAL),
            ("DateTime", ColumnType.TIMESTAMP),
            ("OptionalDateTime", ColumnType.TIMESTAMP),
            ("Interval", ColumnType.STRING),
            ("Json", ColumnType.STRING),
            ("Map<String,BigDecimal>", ColumnType.STRING),
        ],
    )
    def test_stated_type_is_taken(self, stated: str, kind: ColumnType) -> None:
        found = read(document(columns=[column("product", "anything", stated)]))

        assert aws_cur.column_type("product/anything", found) is kind

    def test_stated_type_goes_before_the_documented_one(self) -> None:
        found = read(document(columns=[column("reservation", "UnusedQuantity", "String")]))

        assert aws_cur.column_type("reservation/UnusedQuantity", found) is ColumnType.STRING

    @pytest.mark.parametrize("columns", [None, [], [column("bill", "BillType", "String")]])
    @pytest.mark.parametrize(
        ("header", "kind"),
        [
            ("bill/BillingPeriodStartDate", ColumnType.TIMESTAMP),
            ("lineItem/UsageEndDate", ColumnType.TIMESTAMP),
            ("lineItem/UsageAmount", ColumnType.DECIMAL),
            ("lineItem/NetUnblendedCost", ColumnType.DECIMAL),
            ("pricing/publicOnDemandCost", ColumnType.DECIMAL),
            ("reservation/UnusedNormalizedUnitQuantity", ColumnType.DECIMAL),
            ("savingsPlan/SavingsPlanRate", ColumnType.DECIMAL),
            ("splitLineItem/SplitUsageRatio", ColumnType.DECIMAL),
            ("discount/TotalDiscount", ColumnType.DECIMAL),
            ("line_item_unblended_cost", ColumnType.DECIMAL),
            ("lineItem/UnblendedRate", ColumnType.STRING),
            ("pricing/publicOnDemandRate", ColumnType.STRING),
            ("reservation/StartTime", ColumnType.STRING),
            ("reservation/EndTime", ColumnType.STRING),
            ("savingsPlan/EndTime", ColumnType.STRING),
            ("reservation/UnitsPerReservation", ColumnType.STRING),
            ("reservation/TotalReservedNormalizedUnits", ColumnType.STRING),
            ("reservation/NumberOfReservations", ColumnType.STRING),
            ("bill/PayerAccountId", ColumnType.STRING),
            ("identity/TimeInterval", ColumnType.STRING),
            ("product/ecu", ColumnType.STRING),
            ("resourceTags/user:Cost", ColumnType.STRING),
            ("", ColumnType.STRING),
        ],
    )
    def test_column_that_the_manifest_does_not_list_has_its_documented_type(
        self, columns: list[dict[str, str]] | None, header: str, kind: ColumnType
    ) -> None:
        assert aws_cur.column_type(header, read(document(columns=columns))) is kind

    @pytest.mark.parametrize("kind", [None, "", " "])
    def test_column_without_a_type_has_its_documented_type(self, kind: str | None) -> None:
        columns = [column("lineItem", "BlendedCost", kind), column("product", "sku", kind)]
        found = read(document(columns=columns))

        assert aws_cur.column_type("lineItem/BlendedCost", found) is ColumnType.DECIMAL
        assert aws_cur.column_type("product/sku", found) is ColumnType.STRING

    def test_headers_that_differ_by_case_have_types_of_their_own(self) -> None:
        columns = [column("product", "ecu", "BigDecimal"), column("product", "ECU", "String")]
        found = read(document(columns=columns))

        assert aws_cur.column_type("product/ecu", found) is ColumnType.DECIMAL
        assert aws_cur.column_type("product/ECU", found) is ColumnType.STRING

    def test_column_may_be_listed_twice_and_have_no_category(self) -> None:
        columns = [column(None, "line_item_blended_cost"), column("bill", "BillType", "String")]

        found = read(document(columns=[*columns, *columns])).columns

        assert found is not None
        assert [entry.name for entry in found] == ["line_item_blended_cost", "bill/BillType"]
        assert found[0].type is ColumnType.DECIMAL


class TestNames:
    """AWS's own rule for Athena."""

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("lineItem/UnblendedCost", "line_item_unblended_cost"),
            ("identity/LineItemId", "identity_line_item_id"),
            ("reservation/ReservationARN", "reservation_reservation_a_r_n"),
            ("savingsPlan/SavingsPlanARN", "savings_plan_savings_plan_a_r_n"),
            ("pricing/publicOnDemandCost", "pricing_public_on_demand_cost"),
            ("product/ecu", "product_ecu"),
            ("product/ECU", "product_e_c_u"),
            ("resourceTags/user:Name", "resource_tags_user_name"),
            ("resourceTags/user:name", "resource_tags_user_name"),
            ("resourceTags/user:cost center", "resource_tags_user_cost_center"),
            ("resourceTags/user:a--b..c__D", "resource_tags_user_a_b_c_d"),
            ("resourceTags/user:", "resource_tags_user"),
            ("resourceTags/user:Größe", "resource_tags_user_gr_e"),
            ("line_item_unblended_cost", "line_item_unblended_cost"),
            ("_A_", "a"),
            ("/:@", ""),
            ("", ""),
        ],
    )
    def test_name_of_a_header(self, header: str, name: str) -> None:
        assert aws_cur.column_name(header) == name

    def test_columns_that_are_named_in_settings_are_documented(self) -> None:
        times = {aws_cur.PERIOD_COLUMN, aws_cur.CLUSTER_COLUMN}
        found = read(document(columns=None))

        assert {aws_cur.column_type(name, found) for name in times} == {ColumnType.TIMESTAMP}
        assert {aws_cur.column_type(name, found) for name in aws_cur.COST_COLUMNS} == {
            ColumnType.DECIMAL
        }


class TestErrorsNamePathAndKey:
    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"assemblyId": None}, "assemblyId"),
            ({"assemblyId": " "}, "assemblyId"),
            ({"assemblyId": 7}, "assemblyId"),
            ({"assemblyId": "a\nb"}, "assemblyId"),
            ({"billingPeriod": None}, "billingPeriod"),
            ({"billingPeriod": "2025-10"}, "billingPeriod"),
            ({"billingPeriod": {"end": "20251101T000000.000Z"}}, "billingPeriod.start"),
            ({"billingPeriod": {"start": "20251001T000000.000Z"}}, "billingPeriod.end"),
            ({"billingPeriod": {"start": "soon", "end": "later"}}, "billingPeriod.start"),
            ({"billingPeriod": {"start": "20251001", "end": "20251001"}}, "billingPeriod.end"),
            ({"billingPeriod": {"start": "20251101", "end": "20251001"}}, "billingPeriod.end"),
            ({"billingPeriod": {"start": "20251001", "end": "00010101"}}, "billingPeriod.end"),
            ({"reportKeys": None}, "reportKeys"),
            ({"reportKeys": {}}, "reportKeys"),
            ({"reportKeys": ["a.csv.gz", 7]}, "reportKeys[1]"),
            ({"reportKeys": ["a.csv.gz", "a.csv.gz"]}, "reportKeys[1]"),
            ({"reportKeys": [f"x/{RANGE}/a.csv.gz", f"y/{RANGE}/a.csv.gz"]}, "reportKeys[1]"),
            ({"columns": {}}, "columns"),
            ({"columns": [None]}, "columns[0]"),
            ({"columns": [{"category": "bill"}]}, "columns[0].name"),
            ({"columns": [column("bill", "BillType"), {"name": 7}]}, "columns[1].name"),
            (
                {"columns": [column("a", "b", "String"), column("a", "b", "BigDecimal")]},
                "columns[1].type",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_value_that_is_wrong(self, changes: dict[str, Any], key: str) -> None:
        with pytest.raises(ManifestError) as error:
            read(document(**changes))

        assert (error.value.path, error.value.key) == (RUN_PATH, key)
        assert str(error.value).endswith(f"'{key}' of {RUN_PATH}")

    @pytest.mark.parametrize(
        "key",
        [
            f"cur/{RANGE}/../../a.csv.gz",
            f"../{RANGE}/a.csv.gz",
            f"cur/./{RANGE}/a.csv.gz",
            f"s3://another-bucket/{RANGE}/a.csv.gz",
            f"cur/{RANGE}/",
            "..",
            "",
            "a\0.csv.gz",
            "a\ud800.csv.gz",
        ],
        ids=ascii,
    )
    def test_key_that_can_be_no_part(self, key: str) -> None:
        with pytest.raises(ManifestError) as error:
            read(document(reportKeys=[key]))

        assert (error.value.path, error.value.key) == (RUN_PATH, "reportKeys[0]")

    @pytest.mark.parametrize("key", [f"/cur/{RANGE}/a.csv.gz", f"cur//1234//{RANGE}/a.csv.gz"])
    def test_key_with_more_slashes_is_the_same_key(self, key: str) -> None:
        plain = re.sub("/+", "/", key.lstrip("/"))
        assert read(document(reportKeys=[key])).parts == read(document(reportKeys=[plain])).parts

    @pytest.mark.parametrize(
        ("changes", "key", "seen"),
        [
            ({"compression": "ZIP"}, "compression", "compressed as 'ZIP'"),
            ({"compression": "Parquet"}, "compression", "compressed as 'Parquet'"),
            ({"contentType": "Parquet", "compression": "Parquet"}, "contentType", "'Parquet'"),
            ({"contentType": "application/x-parquet"}, "contentType", "not CSV"),
            ({"reportKeys": ["a.csv.zip"]}, "reportKeys[0]", "not gzipped CSV"),
            ({"reportKeys": ["a.snappy.parquet"]}, "reportKeys[0]", "not gzipped CSV"),
        ],
        ids=["ZIP", "Parquet", "both", "other spelling", "ZIP by its name", "Parquet by its name"],
    )
    def test_other_format_says_which_one_to_choose(
        self, changes: dict[str, Any], key: str, seen: str
    ) -> None:
        with pytest.raises(ManifestError, match="choose the compression type GZIP") as error:
            read(document(**changes))

        assert error.value.key == key
        assert seen in str(error.value)
