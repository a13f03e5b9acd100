"""The manifests of Azure's FOCUS exports, as they were seen and as they may go wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cloudbill.errors import ManifestError
from cloudbill.manifests import Manifest, Part
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS, azure_focus, provider_of
from unit.builders import (
    FOLDER,
    MANIFEST_PATH,
    MODIFIED_AT,
    OCTOBER,
    ROOT,
    RUN_ID,
    blob,
    document,
    encoded,
)
from unit.providers.azure_manifests import NO_RUN, read, run_info


class TestWhereManifestsLie:
    @pytest.mark.parametrize(
        "path",
        [
            f"20251001-20251031/202510220104/{RUN_ID}/manifest.json",
            f"20251001-20251031/{RUN_ID}/manifest.json",
            f"20240101-20240131/202401130307/{RUN_ID}/_manifest.json",
            "20250201-20250201/run/manifest.json",
        ],
        ids=["twelve digits", "no twelve digits", "underscore", "a single day"],
    )
    def test_manifest_is_known_by_its_path(self, path: str) -> None:
        assert azure_focus.is_manifest(path, "focus-daily")

    @pytest.mark.parametrize(
        "path",
        [
            "manifest.json",
            f"20251001-20251031/{RUN_ID}/part_0_0001.snappy.parquet",
            f"20251001-20251031/{RUN_ID}/old-manifest.json",
            f"20251001-20251031/{RUN_ID}/manifest.json.bak",
            f"20251001-20251031/{RUN_ID}/manifest.json\n",
            f"20251001-20251031/{RUN_ID}/deep/er/manifest.json",
            f"2025-10/{RUN_ID}/manifest.json",
            "20251001-20251031//manifest.json",
            "20251001-20251031/manifest.json",
            "٢٠٢٥١٠٠١-20251031/run/manifest.json",
            f"other/20251001-20251031/{RUN_ID}/manifest.json",
        ],
    )
    def test_other_paths_are_no_manifests(self, path: str) -> None:
        assert not azure_focus.is_manifest(path, "focus-daily")

    @pytest.mark.parametrize(
        ("prefix", "export", "root"),
        [
            ("billing", "focus", "billing/focus/"),
            ("", "focus", "focus/"),
            ("/", "focus", "focus/"),
            ("/a//b/", "/focus/", "a/b/focus/"),
            ("providers/Microsoft.Billing/1:2_3", "my focus", None),
        ],
        ids=["prefix", "no prefix", "slash", "too many slashes", "colons and spaces"],
    )
    def test_root_of_an_export(self, prefix: str, export: str, root: str | None) -> None:
        assert azure_focus.export_roots(prefix, export) == (root or f"{prefix}/{export}/",)

    def test_provider_is_known_by_its_name(self) -> None:
        assert provider_of("azure") is azure_focus
        assert list(PROVIDERS) == [module.NAME for module in PROVIDERS.values()]


class TestGoodManifest:
    def test_all_values_are_read(self) -> None:
        assert read(document()) == Manifest(
            provider="azure",
            export="focus-daily",
            path=MANIFEST_PATH,
            run_id=RUN_ID,
            period=OCTOBER,
            covers_from=date(2025, 10, 1),
            covers_to=date(2025, 10, 21),
            submitted_at=datetime(2025, 10, 22, 1, 4, 6, 523444, tzinfo=UTC),
            file_format="parquet",
            parts=(
                Part(path=f"{FOLDER}part_0_0001.snappy.parquet", size=100, rows=2),
                Part(path=f"{FOLDER}part_1_0001.snappy.parquet", size=200, rows=3),
            ),
            rows=5,
            data_version="1.0r2",
            stored_at=MODIFIED_AT,
            time_frame="MonthToDate",
        )

    def test_byte_order_mark_and_unknown_keys_are_passed_over(self) -> None:
        content = document(
            sanitised={"by": ["a tool"]},
            blobs=[blob("a.parquet", headerRowCount=1), blob("b.parquet", md5=None)],
        )

        assert len(read(b"\xef\xbb\xbf" + encoded(content)).parts) == 2

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2025-10-01T00:00:00", "2025-10-31T00:00:00Z"),
            ("2025-10-01T00:00:00Z", "2025-10-31T00:00:00+00:00"),
            ("2025-10-01", "2025-10-31T23:59:59.9999999"),
            (" 2025-10-01T00:00Z ", "2025-10-31T00:00:00.000Z"),
        ],
    )
    def test_every_way_to_write_a_date_is_read(self, start: str, end: str) -> None:
        found = read(document(runInfo=run_info(startDate=start, endDate=end)))

        assert (found.covers_from, found.covers_to) == (date(2025, 10, 1), date(2025, 10, 31))

    def test_period_comes_from_the_run_not_from_the_folder(self) -> None:
        path = f"{ROOT}20251101-20251130/{RUN_ID}/manifest.json"

        assert read(document(), path=path).period == OCTOBER

    def test_run_id_comes_from_the_run_not_from_the_folder(self) -> None:
        assert read(document(runInfo=run_info(runId=" other "))).run_id == "other"

    def test_time_of_the_object_stands_in_for_a_missing_time(self) -> None:
        submitted_at = read(document(runInfo=run_info(submittedTime=None))).submitted_at
        assert submitted_at == datetime(2025, 10, 22, 1, 4, tzinfo=UTC)

    @pytest.mark.parametrize("kind", ["FocusCost", "focuscost", " FocusCost ", None])
    def test_focus_is_known_however_it_is_written(self, kind: str | None) -> None:
        assert read(document(exportConfig={"type": kind})).run_id == RUN_ID


class TestRowCounts:
    """Null means unknown, not 0."""

    @pytest.mark.parametrize(
        ("stated", "of_parts", "rows"),
        [
            (5, (2, 3), 5),
            (None, (2, 3), 5),
            (5, (None, None), 5),
            (None, (2, None), None),
            (None, (None, None), None),
            (0, (0, 0), 0),
            (None, (0, 0), 0),
        ],
        ids=[
            "all stated",
            "run is null",
            "parts are null",
            "run and one part are null",
            "all null",
            "zero",
            "run is null, parts are empty",
        ],
    )
    def test_rows(
        self, stated: int | None, of_parts: tuple[int | None, ...], rows: int | None
    ) -> None:
        blobs = [
            blob(f"part_{index}.parquet", dataRowCount=count)
            for index, count in enumerate(of_parts)
        ]
        content = document(blobs=blobs) | {"dataRowCount": stated}

        found = read(content)

        assert found.rows == rows
        assert tuple(part.rows for part in found.parts) == of_parts

    @pytest.mark.parametrize("blobs", [[], None], ids=["empty list", "null"])
    @pytest.mark.parametrize("count", [0, None], ids=["zero", "null"])
    def test_run_without_parts(self, blobs: list[object] | None, count: int | None) -> None:
        found = read(document() | {"blobs": blobs, "blobCount": count, "dataRowCount": 0})

        assert (found.parts, found.rows) == ((), 0)

    def test_run_without_parts_that_states_no_rows_has_an_unknown_number(self) -> None:
        assert read(document() | {"blobs": [], "blobCount": 0, "dataRowCount": None}).rows is None

    def test_empty_export_has_a_part_of_no_rows(self) -> None:
        content = document(
            blobCount=1, dataRowCount=0, blobs=[blob("part_0_0001.csv", dataRowCount=0)]
        )

        found = read(content)

        assert (found.file_format, found.rows, len(found.parts)) == ("csv", 0, 1)

    @pytest.mark.parametrize("count", [1, 3, 0])
    def test_part_that_is_not_listed_is_noticed(self, count: int) -> None:
        with pytest.raises(ManifestError, match=f"2 parts are listed, not the {count} of") as error:
            read(document(blobCount=count))

        assert error.value.key == "blobCount"


class TestManifestOf2021:
    """It states the blobs alone; the folders say the rest."""

    def test_folders_say_what_the_manifest_does_not(self) -> None:
        found = read(document(**NO_RUN, blobs=[blob("000001.csv"), blob("000002.csv")]))

        assert (found.run_id, found.period, found.file_format) == (RUN_ID, OCTOBER, "csv")
        assert (found.covers_from, found.covers_to) == (date(2025, 10, 1), date(2025, 10, 31))
        assert found.submitted_at == datetime(2025, 10, 22, 1, 4, tzinfo=UTC)
        assert found.data_version is None

    def test_time_of_the_object_stands_in_for_the_folder_of_twelve_digits(self) -> None:
        path = f"{ROOT}20251001-20251031/{RUN_ID}/_manifest.json"

        assert read(document(**NO_RUN), path=path).submitted_at == MODIFIED_AT

    @pytest.mark.parametrize(
        "folder",
        ["20251301-20251331", "20251001-20251032", "20251031-20251001"],
        ids=["no such month", "no such day", "ends before it starts"],
    )
    def test_folders_that_are_no_dates_are_refused(self, folder: str) -> None:
        path = f"{ROOT}{folder}/{RUN_ID}/manifest.json"

        with pytest.raises(ManifestError) as error:
            read(document(**NO_RUN), path=path)

        assert error.value.path == path
        assert "runInfo" in str(error.value)

    def test_other_path_misses_its_run_info(self) -> None:
        with pytest.raises(ManifestError, match="Missing required value in 'runInfo' of elsewhere"):
            read(document(**NO_RUN), path="elsewhere/manifest.json")


class TestPartsAreFound:
    """`blobName` lacks whatever a copy tool put before it."""

    BESIDE = f"{FOLDER}part.parquet"

    @pytest.mark.parametrize(
        "name",
        [
            "part.parquet",
            "exports/focus/20251001-20251031/run/part.parquet",
            " folder/sample/ part.parquet",
            "/part.parquet",
            "../../../part.parquet",
            "a/./b//part.parquet",
        ],
        ids=["bare", "foreign prefix", "stray spaces", "absolute", "upwards", "odd slashes"],
    )
    def test_part_lies_beside_its_manifest(self, name: str) -> None:
        content = document(blobCount=1, blobs=[{"blobName": name}])
        expected = f"{FOLDER}{name.rpartition('/')[2]}"

        assert read(content, expected).parts[0].path == expected
        assert read(content).parts[0].path == expected

    @pytest.mark.parametrize(
        ("there", "expected"),
        [
            ([], BESIDE),
            ([f"{ROOT}data/part.parquet"], f"{ROOT}data/part.parquet"),
            ([BESIDE, f"{ROOT}data/part.parquet"], BESIDE),
        ],
        ids=["neither is there", "only the full path", "both"],
    )
    def test_full_path_is_looked_at_second(self, there: list[str], expected: str) -> None:
        content = document(blobCount=1, blobs=[{"blobName": f"{ROOT}data/part.parquet"}])

        assert read(content, *there).parts[0].path == expected

    @pytest.mark.parametrize(
        ("name", "file_format"),
        [("a.parquet", "parquet"), ("a.csv", "csv"), ("a.csv.gz", "csv"), ("A.CSV.GZ", "csv")],
    )
    def test_format_is_told_by_the_name(self, name: str, file_format: str) -> None:
        assert read(document(blobCount=1, blobs=[blob(name)])).file_format == file_format


def test_period_of_a_run_is_the_month_that_it_starts_in() -> None:
    info = run_info(startDate="2025-09-15", endDate="2025-10-21")

    path = f"{ROOT}20250915-20251021/{RUN_ID}/manifest.json"
    assert read(document(runInfo=info), path=path).period == BillingPeriod(year=2025, month=9)


@pytest.mark.parametrize(
    ("folder", "stated", "covers"),
    [
        ("20251001-20251031", ("2025-10-01", "2025-11-01T00:00:00Z"), (1, 31)),
        ("20251001-20251031", ("2025-10-01", "2025-10-21T00:00:00Z"), (1, 21)),
        ("20251001-20251015", ("2025-10-01", "2025-10-31"), (1, 15)),
        ("20251005-20251031", ("2025-10-01", "2025-10-31"), (5, 31)),
        ("20250901-20250930", ("2025-10-01", "2025-10-31"), (1, 31)),
        ("20251301-20251331", ("2025-10-01", "2025-10-31"), (1, 31)),
    ],
    ids=["end is exclusive", "inside", "folder ends", "folder begins", "elsewhere", "no dates"],
)
def test_days_are_those_of_the_run_and_of_its_folder(
    folder: str, stated: tuple[str, str], covers: tuple[int, int]
) -> None:
    info = run_info(startDate=stated[0], endDate=stated[1])

    found = read(document(runInfo=info), path=f"{ROOT}{folder}/{RUN_ID}/manifest.json")

    assert (found.covers_from, found.covers_to) == (
        date(2025, 10, covers[0]),
        date(2025, 10, covers[1]),
    )
