"""Whatever a cell of a CSV holds arrives unchanged, or is an error that names it."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from cloudbill.errors import LoadError
from cloudbill.files.csv_headers import read_headers
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.manifests import Column, ColumnType, Part
from cloudbill.sql import DUCKDB, duckdb_text
from cloudbill.store.local import LocalStore
from figures import tries

# Each example writes and reads a file with many cells, so that few examples try much.
MODERATE = tries(60, suppress=[HealthCheck.function_scoped_fixture])
DIGITS = 18
WIDE = Context(prec=200, Emax=10**6, Emin=-(10**6))

Read = Callable[[Sequence[str], ColumnType], list[Any]]

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TRICKS = st.text(st.sampled_from("\"',;\\\r\n\t |NULLnull\\N\ufeff0.eE+-#"), max_size=20)
SIGNS = st.sampled_from(["", "-", "+"])


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB, as the warehouse opens it."""
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def read(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> Read:
    """Writes cells to a CSV as Python does, and reads them back in the order of the file."""

    def run(cells: Sequence[str], kind: ColumnType) -> list[Any]:
        text = io.StringIO(newline="")
        # Python before 3.13 quotes no carriage return on its own where lines end in a newline.
        has_return = any("\r" in cell for cell in cells)
        csv.writer(
            text,
            lineterminator="\r\n" if len(cells) % 2 else "\n",
            quoting=csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL,
        ).writerows([("number", "cell"), *enumerate(cells)])
        file = tmp_path / "part.csv"
        content = text.getvalue().encode()
        file.write_bytes(gzip.compress(content, 1) if len(cells) % 3 else content)
        columns = (
            Column(name="number", target="number", type=ColumnType.INTEGER),
            Column(name="cell", target="cell", type=kind),
        )
        part = CsvPart(file=file, address="gs://bills/part.csv", columns=columns)
        with read_csv_parts([part], empty_text_is_null=False) as source:
            statement = DUCKDB.compose(
                "SELECT {columns} FROM {relation} ORDER BY number",
                columns=source.projection(),
                relation=source.relation,
            )
            rows = database.execute(statement.text, source.parameters).fetchall()
        assert [row[0] for row in rows] == list(range(len(cells)))
        return [row[1] for row in rows]

    return run


@st.composite
def fitting_numbers(draw: st.DrawFn) -> str:
    """A number that DECIMAL(38,18) holds, in any notation, with any zeros around it."""
    digits = draw(st.integers(0, 10**38 - 1))
    number = Decimal(digits).scaleb(-18, WIDE)
    shift = draw(st.integers(-60, 60) | st.just(0) | st.integers(1, 14))
    mantissa = number.scaleb(shift, WIDE)
    plain = f"{mantissa:f}"
    if "." in plain and draw(st.booleans()):
        plain = plain.rstrip("0") or "0"
    if draw(st.booleans()):
        plain = "0" * draw(st.integers(0, 5)) + plain
    if "." in plain:
        plain += "0" * draw(st.integers(0, 5))
    plain = plain.removesuffix(".") if draw(st.booleans()) else plain
    if plain.startswith("0.") and len(plain) > 2 and draw(st.booleans()):
        plain = plain[1:]
    exponent = draw(st.sampled_from(["e{:d}", "E{:+d}", "e{:03d}"])).format(-shift)
    return draw(SIGNS) + (plain or "0") + (exponent if shift or draw(st.booleans()) else "")


@st.composite
def short_exponents(draw: st.DrawFn) -> str:
    """A number as programs write small amounts: `1.81E-8`."""
    fraction = draw(st.text("0123456789", max_size=9))
    mantissa = str(draw(st.integers(0, 9))) + (f".{fraction}" if fraction else "")
    exponent = draw(st.integers(1, 18 - len(fraction)))
    sign = draw(SIGNS)
    return f"{sign}{mantissa}{draw(st.sampled_from('eE'))}-{exponent:0{draw(st.integers(1, 2))}d}"


@st.composite
def unfitting_numbers(draw: st.DrawFn) -> str:
    """A number with a digit that is too far to the left."""
    digits = str(draw(st.integers(1, 10**20))).rstrip("0")
    # The first digit before the point has this place.
    exponent = draw(st.integers(20, 40)) - len(digits) + 1
    number = Decimal(digits).scaleb(exponent, WIDE)
    text = draw(st.sampled_from(["{:f}", "{:E}", "{:e}"])).format(number)
    return draw(SIGNS) + text


def rounded(cell: str) -> Decimal:
    """A number with 18 digits behind the point, by Python's own arithmetic."""
    number = Decimal(cell)
    if number.adjusted() < -DIGITS - 1:
        return Decimal(0)
    return number.quantize(Decimal(1).scaleb(-DIGITS), ROUND_HALF_UP, WIDE)


class TestNumbers:
    @MODERATE
    @given(cells=st.lists(fitting_numbers() | short_exponents(), min_size=1, max_size=50))
    @example(cells=["9.9999999E-09", "1.81E-8", "5e-06", "1E+3", "0.000E-30"])
    def test_a_number_that_fits_arrives_as_it_is(self, read: Read, cells: list[str]) -> None:
        arrived = read(cells, ColumnType.DECIMAL)
        assert arrived == [Decimal(cell) for cell in cells]

    @MODERATE
    @given(cell=unfitting_numbers(), others=st.lists(short_exponents(), max_size=5))
    def test_a_number_that_does_not_fit_is_an_error(
        self, read: Read, cell: str, others: list[str]
    ) -> None:
        with pytest.raises(LoadError) as raised:
            read([*others, cell], ColumnType.DECIMAL)
        assert f"line {len(others) + 2}: '{cell[:60]}" in str(raised.value)

    @MODERATE
    @given(cell=st.text(st.sampled_from("0123456789+-.eE_ xNa"), min_size=1, max_size=12))
    def test_a_text_is_the_number_that_python_sees_in_it_or_an_error(
        self, read: Read, cell: str
    ) -> None:
        try:
            (arrived,) = read([cell], ColumnType.DECIMAL)
        except LoadError as error:
            assert "line 2: " in str(error)  # noqa: PT017
        else:
            assert arrived == rounded(cell)
            assert cell.strip() == cell


class TestTexts:
    @MODERATE
    @given(cells=st.lists(ANY_TEXT | TRICKS, min_size=1, max_size=30))
    def test_a_text_arrives_as_it_is(self, read: Read, cells: list[str]) -> None:
        assert read(cells, ColumnType.STRING) == cells

    @MODERATE
    @given(names=st.lists((ANY_TEXT | TRICKS).filter(bool), min_size=1, max_size=9, unique=True))
    def test_a_header_is_read_as_it_is(self, tmp_path: Path, names: list[str]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerow(names)
        content = "\ufeff" + text.getvalue()
        # A byte order mark that begins the first name is taken for one of the file.
        is_marked = names[0].startswith("\ufeff")
        if not is_marked and (names[0].strip() or len(names) > 1):
            (tmp_path / "part.csv").write_bytes(content.encode())
            (header,) = read_headers(LocalStore(tmp_path), [Part(path="part.csv")])
            assert header.names == tuple(names)


class TestLiterals:
    """A text that stands in SQL, as in a comment, is that text and nothing more."""

    @tries(150)
    @given(text=ANY_TEXT | TRICKS)
    @example(text="'; DROP TABLE bill; --")
    @example(text="\\'")
    def test_duckdb_reads_the_text(self, database: duckdb.DuckDBPyConnection, text: str) -> None:
        database.execute("CREATE OR REPLACE TABLE bill (cost VARCHAR)")
        comment = DUCKDB.compose(
            "COMMENT ON COLUMN {column} IS {text}", column=("bill", "cost"), text=duckdb_text(text)
        )
        database.execute(comment.text)
        found = database.execute("SELECT comment FROM duckdb_columns() WHERE table_name = 'bill'")
        assert found.fetchall() == [(text,)]

    def test_a_nul_is_refused(self) -> None:
        with pytest.raises(ValueError, match="cannot stand in SQL"):
            duckdb_text("a\0b")
