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
from unit.builders import MODIFIED_AT, OCTOBER, encoded
from unit.providers.aws_manifests import (
    CURRENT_PATH,
    PARTS,
    RANGE,
    REPORT,
    ROOT,
    RUN_ID,
    RUN_PATH,
    column,
    document,
    read,
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
            f"{REPORT}/year=2025/{REPORT}-Manifest.json",
            f"{REPORT}/month=10/{REPORT}-Manifest.json",
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

    @pytest.mark.parametrize(
        "path",
        [CURRENT_PATH, RUN_PATH, f"{ROOT}{REPORT}/year=2025/month=10/{REPORT}-Manifest.json"],
    )
    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("20250930T220000.000Z", "20251031T220000.000Z"),
            ("20250901T000000.000Z", "20251101T000000.000Z"),
            ("20251001T000000.000Z", "20251101T050000.000Z"),
        ],
    )
    def test_a_period_has_no_month_but_that_of_its_folder(
        self, start: str, end: str, path: str
    ) -> None:
        found = read(document(billingPeriod={"start": start, "end": end}), path=path)

        assert (str(found.period), found.covers_from) == ("2025-10", date(2025, 10, 1))
        assert found.covers_to.month == 10

    def test_a_period_that_its_folder_does_not_meet_is_as_stated(self) -> None:
        other = {"start": "20250901T000000.000Z", "end": "20251001T000000.000Z"}
        odd = f"{ROOT}20251301-20251401/{REPORT}-Manifest.json"

        assert str(read(document(billingPeriod=other), path=CURRENT_PATH).period) == "2025-09"
        assert str(read(document(billingPeriod=other), path=odd).period) == "2025-09"

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
        ("name", "kind"),
        [
            ("a.csv.gz", "csv"),
            ("a.csv.zip", "csv"),
            ("a.zip", "csv"),
            ("a.snappy.parquet", "parquet"),
            ("a.PARQUET", "parquet"),
        ],
    )
    def test_the_format_is_that_of_the_parts(self, name: str, kind: str) -> None:
        assert read(document(reportKeys=[f"cur/{RANGE}/{name}"])).file_format == kind

    @pytest.mark.parametrize("names", [["a.orc"], ["a.csv.gz", "b.snappy.parquet"], ["a"]])
    def test_parts_of_no_format_or_of_two_are_refused(self, names: list[str]) -> None:
        with pytest.raises(ManifestError, match="CSV"):
            read(document(reportKeys=[f"cur/{RANGE}/{name}" for name in names]))
