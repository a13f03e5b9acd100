"""Whoever can write to the store can write any manifest or footer: none of it breaks out."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from cloudbill.errors import CloudbillError, LoadError, ManifestError, StoreError
from cloudbill.exports.discovery import discover
from cloudbill.files.csv_headers import read_headers
from cloudbill.manifests import Part
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings import SourceSettings, read_source
from cloudbill.store.local import LocalStore
from cloudbill.warehouses.duckdb.warehouse import DuckDBWarehouse
from figures import tries
from unit.builders import document, manifest, to_load

MODERATE = tries(60, suppress=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ROOT = "billing/daily/"
FOLDER = f"{ROOT}20251001-20251031/run/"
START = datetime(2025, 10, 1, tzinfo=UTC)

TRICKS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "/",
        "//",
        "/etc/passwd",
        "../../../secret.parquet",
        "..\\..\\secret.parquet",
        "%2e%2e/secret.parquet",
        "a/../../../secret.parquet",
        "gs://other/part.parquet",
        "https://x/c/part.parquet?sig=abcdef",
        "part*.parquet",
        "part[0].parquet",
        "part.parquet#1",
        "part.parquet\0.csv",
        "part\nfake line.parquet",
        "\u202eteuqrap.parquet",
        "\ud800.parquet",
        "'; DROP TABLE canary; --.parquet",
        '"; DROP TABLE canary; --.parquet',
        "\") ; COPY canary TO 'x' ; --",
        "`; DROP TABLE canary; --",
        "{table}",
        "$files",
        "x" * 5000 + ".parquet",
        "part.parquet",
        "part.csv.gz",
    ]
)
NAMES = TRICKS | st.text(max_size=30) | st.builds("/".join, st.lists(TRICKS, max_size=4))
VALUES: st.SearchStrategy[Any] = (
    NAMES | st.none() | st.integers() | st.lists(NAMES, max_size=2) | st.just({})
)


class WatchedStore(LocalStore):
    """A folder that remembers which files were opened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.opened: list[Path] = []

    def _file(self, path: str) -> Path:
        file = super()._file(path)
        self.opened.append(file)
        return file


def azure(names: list[Any], run_id: Any) -> dict[str, Any]:
    """A manifest of Azure with these parts."""
    whole = document(blobs=[{"blobName": name} for name in names], blobCount=None)
    return whole | {"runInfo": whole["runInfo"] | {"runId": run_id}, "dataRowCount": None}


def aws(names: list[Any], run_id: Any) -> dict[str, Any]:
    """A manifest of AWS with these parts."""
    period = {"start": "20251001T000000.000Z", "end": "20251101T000000.000Z"}
    return {"assemblyId": run_id, "billingPeriod": period, "reportKeys": names}


class TestManifests:
    """Nothing but `CloudbillError` comes out, and nothing outside the export is read or planned."""

    @MODERATE
    @given(names=st.lists(VALUES, max_size=4), run_id=VALUES)
    @pytest.mark.parametrize("name", list(PROVIDERS))
    def test_no_name_leads_out_of_the_export(
        self, tmp_path: Path, name: str, names: list[Any], run_id: Any
    ) -> None:
        provider: Provider = PROVIDERS[name]
        (tmp_path / "secret.parquet").write_bytes(b"PAR1")
        folder = tmp_path / "exports"
        home = folder / FOLDER
        home.mkdir(parents=True, exist_ok=True)
        (home / "part.parquet").write_bytes(b"PAR1")
        manifests = {"azure": ("manifest.json", azure), "aws": ("daily-Manifest.json", aws)}
        file, write = manifests.get(name, ("manifest.json", azure))
        (home / file).write_text(json.dumps(write(names, run_id)))
        store = WatchedStore(folder)

        found = discover(store, provider, prefix="billing", export_name="daily")

        assert len(found.runs) + len(found.failures) <= 1
        assert all(isinstance(failure.error, ManifestError) for failure in found.failures)
        for run in found.runs:
            for part in run.manifest.parts:
                place = (folder / part.path).resolve()
                assert place.is_relative_to((folder / ROOT).resolve())
                assert part.path.startswith(ROOT)
                assert part.path.isprintable() or "\u202e" in part.path or " " in part.path
        for opened in store.opened:
            assert opened.resolve().is_relative_to((folder / ROOT).resolve())

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../secret", "a/../../secret", "a/\0", "./a", "a/.."]
    )
    def test_store_itself_reads_nothing_outside(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "in").mkdir()
        store = LocalStore(tmp_path / "in")

        for read in (store.read, store.uri, store.local_path):
            with pytest.raises(StoreError, match="is not a path inside the store"):
                read(path)
        with pytest.raises(StoreError, match="is not a path inside the store"):
            list(store.list(path))

    @pytest.mark.parametrize("parts", [10_001, 40_000])
    def test_more_parts_than_a_load_takes_are_refused(self, tmp_path: Path, parts: int) -> None:
        home = tmp_path / FOLDER
        home.mkdir(parents=True)
        names = [f"part_{index}.parquet" for index in range(parts)]
        (home / "manifest.json").write_text(json.dumps(azure(names, "run")))

        found = discover(
            LocalStore(tmp_path), PROVIDERS["azure"], prefix="billing", export_name="daily"
        )

        assert f"{parts} parts are more than the 10000" in str(found.failures[0].error)

    @pytest.mark.parametrize(
        "content",
        [
            b"[" * 1_000_000,
            b'{"a":' * 1_000_000,
            b'{"runInfo": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b'{"blobCount": ' + b"9" * 1_000_000 + b"}",
            b'{"blobCount": 1e999999}',
            b"\xff\xfe" * 1000,
            b" " * (65 * 1024 * 1024),
        ],
        ids=["lists", "objects", "nested value", "digits", "exponent", "UTF-16", "huge"],
    )
    def test_json_that_is_deep_or_huge_is_refused(self, tmp_path: Path, content: bytes) -> None:
        home = tmp_path / FOLDER
        home.mkdir(parents=True)
        (home / "manifest.json").write_bytes(content)

        found = discover(
            LocalStore(tmp_path), PROVIDERS["azure"], prefix="billing", export_name="daily"
        )

        assert isinstance(found.failures[0].error, ManifestError)
        assert len(str(found.failures[0].error)) < 1000

    def test_folder_that_would_write_lines_into_logs_is_refused(self, tmp_path: Path) -> None:
        home = tmp_path / f"{ROOT}20251001-20251031/run\nAzure billing: all is well"
        home.mkdir(parents=True)
        (home / "manifest.json").write_text(json.dumps(azure([], "run")))

        found = discover(
            LocalStore(tmp_path), PROVIDERS["azure"], prefix="billing", export_name="daily"
        )

        assert "\n" not in str(found.failures[0].error)


@dataclass
class Bench:
    """A DuckDB file with a table that nothing may touch."""

    folder: Path
    count: int = 0
    settings: SourceSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = read_source(
            "azure_billing",
            PROVIDERS["azure"],
            [],
            {
                "bucket": str(self.folder),
                "export_name": "daily",
                "database": str(self.folder / "bills.duckdb"),
            },
        )

    def load(self, columns: list[str], table: str, dataset: str) -> list[str] | None:
        """Loads a part with these columns; gives those of the table, or None if it is refused."""
        self.count += 1
        part = f"part_{self.count}.parquet"
        arrays = [pa.array([START], pa.timestamp("us", tz="UTC"))]
        arrays += [pa.array(["x"]) for _ in columns]
        content = pa.Table.from_arrays(arrays, names=["BillingPeriodStart", *columns])
        pq.write_table(content, self.folder / part)
        planned = replace(
            to_load(manifest(parts=[Part(path=part)])),
            table=table,
            period_column="BillingPeriodStart",
        )
        chosen = replace(self.settings, dataset=dataset, table_name=table)
        (self.folder / "bills.duckdb").unlink(missing_ok=True)
        with duckdb.connect(str(self.folder / "bills.duckdb")) as connection:
            connection.execute("CREATE TABLE canary AS SELECT 7 AS a")
        with closing(DuckDBWarehouse.open(chosen.warehouse, read_only=False)) as warehouse:
            try:
                warehouse.replace_period(planned, LocalStore(self.folder))
            except LoadError as error:
                assert str(error)  # noqa: PT017
                return None
        return self.look(table, dataset)

    def look(self, table: str, dataset: str) -> list[str]:
        """The columns of the table; all else is as it was."""
        with duckdb.connect(str(self.folder / "bills.duckdb")) as connection:
            assert connection.execute("SELECT a FROM canary").fetchall() == [(7,)]
            tables = connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL"
            ).fetchall()
            assert sorted(tables) == sorted([("main", "canary"), (dataset, table)])
            rows = connection.execute(
                "SELECT column_name FROM duckdb_columns() WHERE schema_name = ? AND table_name = ? "
                "ORDER BY column_index",
                [dataset, table],
            ).fetchall()
        return [str(row[0]) for row in rows]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty warehouse."""
    return Bench(tmp_path)


SQL_NAMES = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.text(st.sampled_from("\"'`;-{}$@\\.,()[] \n\0aA"), max_size=12)
    | st.sampled_from(
        [
            '"); DROP TABLE canary; --',
            'x" VARCHAR); DROP TABLE canary; --',
            "x' || (SELECT 1) || '",
            "{table}",
            "$files",
            "n" * 301,
            "filename",
            "rowid",
        ]
    )
)


class TestColumnsAndTables:
    """Whatever a column, a table or a schema is called, DuckDB has it so, or it is refused."""

    @MODERATE
    @given(columns=st.lists(SQL_NAMES.filter(bool), max_size=3, unique_by=str.lower))
    @example(columns=['"); DROP TABLE canary; --'])
    @example(columns=["a\0b"])
    def test_columns_of_a_part_are_names_and_nothing_else(
        self, bench: Bench, columns: list[str]
    ) -> None:
        found = bench.load(columns, "bill", "billing")

        assert found is None or found == ["BillingPeriodStart", *columns]

    def test_a_column_without_a_name_is_refused(self, bench: Bench) -> None:
        assert bench.load([""], "bill", "billing") is None

    @MODERATE
    @given(
        table=SQL_NAMES.filter(lambda name: name.strip() and "\0" not in name),
        dataset=SQL_NAMES.filter(lambda name: name.strip() and "\0" not in name),
    )
    def test_table_and_schema_are_names_and_nothing_else(
        self, bench: Bench, table: str, dataset: str
    ) -> None:
        found = bench.load(["Cost"], table, dataset)

        assert found is None or found == ["BillingPeriodStart", "Cost"]


class TestBombs:
    """What grows beyond all bounds when it is read is not read to its end."""

    @pytest.mark.parametrize(
        "text",
        [b"a" * 100_000_000, b"a," * 50_000_000, b'"' + b"\n" * 100_000_000],
        ids=["one name", "many names", "one quoted name"],
    )
    def test_gzip_bomb_in_a_header_takes_little_memory(self, tmp_path: Path, text: bytes) -> None:
        (tmp_path / "part.csv.gz").write_bytes(gzip.compress(text, 1))
        del text
        tracemalloc.start()
        try:
            with pytest.raises(CloudbillError):
                read_headers(LocalStore(tmp_path), [Part(path="part.csv.gz")])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 64 * 1024 * 1024
