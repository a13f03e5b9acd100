"""The files of an export: a folder with a file for each month, or one DuckDB file.

Each file is made in a folder of its own below the target, checked there, and then renamed: no
reader finds half a file under its name, and what a killed export left is removed by the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

import duckdb

from cloudbill.disk.exchanging import put_in_place
from cloudbill.disk.spool import clear_spool, spool_folder
from cloudbill.errors import ConfigError, VerificationError
from cloudbill.periods import BillingPeriod
from cloudbill.settings.values import STORAGE_VERSION, fault_of_database_path
from cloudbill.sql import DUCKDB, Fragment, duckdb_text

__all__ = ["Files", "database_file", "monthly_files"]

Check = Callable[[duckdb.DuckDBPyConnection, Fragment], None]
"""Compares rows that were written, as a relation of a connection, with what was to be written."""

_MEMORY: Final = "1GB"
"""Rows are only passed on, so that more makes nothing faster."""
_MARK: Final = "cloudbill export"
_MONTH: Final = re.compile(r"billing_month=\d{4}-\d{2}", re.ASCII)
_CSV: Final = "csv"
_FORMS: Final = (_CSV, "parquet")
_READ_CSV: Final = (
    "read_csv({file}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"
)


class Files(Protocol):
    """Takes months one by one."""

    @property
    def spool(self) -> Path:
        """Where temporary files go, on the disk of the target."""

    def add(self, name: str, period: BillingPeriod, rows: Path, check: Check) -> Path:
        """Adds a month of a table or view, from a Parquet file, which is used up.

        Returns the file that has it, or will have it.
        """

    def finish(self, names: Iterable[str], *, is_whole: bool) -> tuple[Path, ...]:
        """Ends the export of some tables, and gives the files that it removed.

        With `is_whole`, months of them that were not added are in no file any more.
        """


def monthly_files(output: Path, form: str) -> AbstractContextManager[Files]:
    """A folder with a file for each month, `TABLE/billing_month=YYYY-MM/TABLE.FORM`.

    `form` is parquet or csv.
    """
    return _opened(output, lambda spool, connection: _Months(output, form, spool, connection))


def database_file(output: Path) -> AbstractContextManager[Files]:
    """A DuckDB file with a table for each table or view, which replaces an earlier export whole.

    Raises:
        ConfigError: If another file is there, which no export has written.
    """
    _require_export(output)
    return _opened(
        output.absolute().parent, lambda spool, connection: _Database(output, spool, connection)
    )


@contextmanager
def _opened(
    home: Path, make: Callable[[Path, duckdb.DuckDBPyConnection], Files]
) -> Iterator[Files]:
    home.mkdir(parents=True, exist_ok=True)
    clear_spool(home)
    with spool_folder(home) as spool, closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET memory_limit = $limit", {"limit": _MEMORY})
        connection.execute("SET temp_directory = $folder", {"folder": str(spool)})
        yield make(spool, connection)


class _Months:
    """A file for each month."""

    def __init__(
        self,
        output: Path,
        form: str,
        spool: Path,
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self.spool = spool
        self._output = output
        self._form = form
        self._connection = connection
        self._written: set[Path] = set()

    def add(self, name: str, period: BillingPeriod, rows: Path, check: Check) -> Path:
        """Writes the file of a month; see `Files.add`."""
        made, template = rows, "read_parquet({file})"
        if self._form == _CSV:
            made, template = rows.with_suffix(".csv"), _READ_CSV
            copied = "COPY (SELECT * FROM read_parquet($rows)) TO $made (FORMAT csv, HEADER)"
            self._connection.execute(copied, {"rows": str(rows), "made": str(made)})
            rows.unlink()
        check(self._connection, DUCKDB.compose(template, file=duckdb_text(str(made))))
        target = self._folder(name) / f"billing_month={period}" / self._file(name, self._form)
        put_in_place(made, target)
        self._written.add(target)
        return target

    def _folder(self, name: str) -> Path:
        return self._output / _file_name(name)

    @staticmethod
    def _file(name: str, form: str) -> str:
        return f"{_file_name(name)}.{form}"

    def finish(self, names: Iterable[str], *, is_whole: bool) -> tuple[Path, ...]:
        """Removes what an earlier export wrote of the same months in another form.

        With `is_whole`, also of other months; files of other names stay. See `Files.finish`.
        """
        removed = []
        for name in names:
            ours = {self._file(name, form) for form in _FORMS}
            for file in sorted(self._folder(name).glob("billing_month=*/*")):
                is_replaced = file.parent in {written.parent for written in self._written}
                if (
                    file.name in ours
                    and file not in self._written
                    and _MONTH.fullmatch(file.parent.name)
                    and (is_whole or is_replaced)
                ):
                    file.unlink()
                    removed.append(file)
                    if not any(file.parent.iterdir()):
                        file.parent.rmdir()
        return tuple(removed)


class _Database:
    """All months in one file."""

    def __init__(self, output: Path, spool: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.spool = spool
        self._output = output
        self._made = spool / "made.duckdb"
        self._connection = connection
        self._rows: dict[str, int] = {}
        attach = DUCKDB.compose(
            "ATTACH {file} AS made (STORAGE_VERSION {version})",
            file=duckdb_text(str(self._made)),
            version=duckdb_text(STORAGE_VERSION),
        )
        connection.execute(attach.text)

    def add(self, name: str, period: BillingPeriod, rows: Path, check: Check) -> Path:  # noqa: ARG002
        """Adds the rows of a month to their table; see `Files.add`."""
        table, file = ("made", "main", name), duckdb_text(str(rows))
        template = "INSERT INTO {table} BY NAME SELECT * FROM read_parquet({file})"
        if name not in self._rows:
            template = (
                "CREATE TABLE {table} AS SELECT * FROM read_parquet({file}); "
                "COMMENT ON TABLE {table} IS {mark}"
            )
        statement = DUCKDB.compose(template, table=table, file=file, mark=duckdb_text(_MARK))
        added = DUCKDB.compose(
            "(SELECT * FROM {table} WHERE rowid >= {before})",
            table=table,
            before=Fragment(str(self._rows.get(name, 0))),
        )
        self._connection.execute("BEGIN")
        try:
            self._connection.execute(statement.text)
            check(self._connection, added)
        except (VerificationError, duckdb.Error):
            with suppress(duckdb.Error):  # an error may have ended the transaction already
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        rows.unlink()
        counted = DUCKDB.compose("SELECT count(*) FROM {table}", table=table).text
        row = self._connection.execute(counted).fetchone()
        self._rows[name] = int(row[0]) if row else 0
        return self._output

    def finish(self, names: Iterable[str], *, is_whole: bool) -> tuple[Path, ...]:  # noqa: ARG002
        """Puts the file in its place; see `Files.finish`."""
        self._connection.execute("DETACH made")  # which merges its log
        put_in_place(self._made, self._output.resolve())
        return ()


def _require_export(output: Path) -> None:
    """Refuses to replace a file that no export has written.

    Raises:
        ConfigError: If there is one, or if DuckDB cannot keep a file there.
    """
    fault = fault_of_database_path(output.absolute())
    if fault is not None:
        raise ConfigError(f"{fault}; say where else with --output")
    if not output.exists():
        return
    try:
        with closing(duckdb.connect(str(output.absolute()), read_only=True)) as connection:
            comments = connection.execute("SELECT comment FROM duckdb_tables()").fetchall()
    except duckdb.Error:
        comments = [("",)]
    if any(comment != _MARK for (comment,) in comments):
        raise ConfigError(
            f"{output} is there, and no export has written it. Say where else with --output, or "
            "remove it"
        )


def _file_name(name: str) -> str:
    """The name of a table as that of a folder or file, whatever characters it has."""
    plain = quote(name, safe="".join(one for one in name if one.isalnum() or one in " _-."))
    return plain.replace(".", "%2E", 1) if plain.startswith(".") else plain
