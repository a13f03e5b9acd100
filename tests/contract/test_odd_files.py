"""Files that other programs wrote a little differently load as what they mean."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Delivery, at, charges
from contract.places import Case, Place
from contract.rewriting import rewrite, with_marks


def with_commas(content: bytes) -> bytes:
    """A comma at the end of each line; no cell of the tests has a line end."""
    return b"".join(line.rstrip(b"\r\n") + b",\n" for line in content.splitlines())


def without_columns() -> bytes:
    target = pa.BufferOutputStream()
    pq.write_table(pa.table({}), target)
    return bytes(target.getvalue())


@pytest.mark.parametrize(
    ("writer", "content"),
    [(AzureWriter(), b""), (AzureWriter(), without_columns()), (AzureCsvWriter(), b"")],
    ids=["parquet", "parquet without columns", "csv"],
)
@pytest.mark.parametrize("is_all", [False, True], ids=["one part", "all parts"])
def test_a_part_with_nothing_in_it_that_counts_no_row_is_empty(
    place: Place,
    tmp_path: Path,
    writer: AzureWriter | AzureCsvWriter,
    content: bytes,
    *,
    is_all: bool,
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    case = Case(place=place, writer=writer, scratch=scratch)
    october = Delivery(
        period="2025-10",
        charges=() if is_all else charges("2025-10", "1.5", "2"),
        submitted_at=at("2025-10-28 04:00"),
        parts=2,
    )
    written = case.write(october)
    manifest = json.loads(written.manifest.read_text())
    if not is_all:
        # One more part, so that no row is lost.
        name = Path(manifest["blobs"][0]["blobName"])
        more = str(name.with_name(f"more_{name.name}"))
        manifest["blobs"].append({**manifest["blobs"][0], "blobName": more})
        manifest["blobCount"] = len(manifest["blobs"])
    for blob in manifest["blobs"] if is_all else manifest["blobs"][-1:]:
        part = written.manifest.with_name(Path(blob["blobName"]).name)
        part.write_bytes(content)
        blob |= {"byteCount": len(content), "dataRowCount": 0}
        os.utime(part, (october.submitted_at.timestamp(),) * 2)
    written.manifest.write_text(json.dumps(manifest))
    case.place.put(written.folder)

    outcome = case.load()

    (result,) = outcome.results
    assert (outcome.exit_code, result.rows) == (0, len(october.charges))
    assert case.load().results == ()
    (report,) = verify_source(case.settings, frozenset(), lambda _: None).months
    assert report.verdict is Verdict.EQUAL


@pytest.fixture(params=[AzureCsvWriter, AwsWriter], ids=["azure", "aws"])
def case(request: pytest.FixtureRequest, place: Place, tmp_path: Path) -> Case:
    """Exports that come as CSV."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=request.param(), scratch=scratch)


@pytest.mark.parametrize("change", [with_marks, with_commas])
def test_the_table_has_the_same_rows(case: Case, change: Callable[[bytes], bytes]) -> None:
    october = Delivery(
        period="2025-10",
        charges=charges("2025-10", "1.5", "2", "-0.25"),
        submitted_at=at("2025-10-28 04:00"),
    )
    rewrite(case, october, change)

    outcome = case.load()

    assert (outcome.exit_code, outcome.failures) == (0, ())
    assert case.held() == sorted(october.charges, key=lambda charge: charge.day)
    (report,) = verify_source(case.settings, frozenset(), lambda _: None).months
    assert report.verdict is Verdict.EQUAL


def test_a_cell_in_a_column_without_a_name_is_named(case: Case) -> None:
    october = Delivery(
        period="2025-10", charges=charges("2025-10", "1"), submitted_at=at("2025-10-28 04:00")
    )

    def with_cells(content: bytes) -> bytes:
        header, _, rows = with_commas(content).partition(b"\n")
        return header + b"\n" + rows.replace(b",\n", b",x\n")

    rewrite(case, october, with_cells)

    outcome = case.load()

    (failure,) = outcome.failures
    assert "line 2: 'x' is in a column without a name" in str(failure.error)
    assert outcome.results == ()
