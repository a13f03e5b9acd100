"""The readers of values: what they take, what they make of it, and what they say of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cloudbill.settings.values import (
    read_amount,
    read_count,
    read_duration,
    read_file,
    read_flag,
    read_folder,
    read_memory,
    read_seconds,
    read_share,
    read_storage_version,
    read_table_name,
    read_text,
)

Reader = Callable[[object], object]


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (read_text, " a b ", "a b"),
        (read_text, "  ", None),
        (read_folder, " a/b ", "a/b"),
        (read_folder, "", ""),
        (read_file, "bills.duckdb", Path("bills.duckdb")),
        (read_file, Path("bills.duckdb"), Path("bills.duckdb")),
        (read_file, "~/bills.duckdb", Path.home() / "bills.duckdb"),
        (read_file, "~", Path.home()),
        (read_file, "file:///tmp/bills.duckdb", Path("/tmp/bills.duckdb")),  # noqa: S108 - not made
        (read_file, " ", None),
        (read_table_name, "dlt_bill", "dlt_bill"),
        (read_table_name, "", None),
        (read_flag, True, True),
        (read_flag, " False ", False),
        (read_memory, " 4GB ", "4GB"),
        (read_storage_version, " v1.4.0 ", "v1.4.0"),
        (read_storage_version, "1.2.1", "v1.2.1"),
        (read_storage_version, 1.4, "v1.4.0"),
        (read_storage_version, "Latest", "latest"),
        (read_share, 0.2, Decimal("0.2")),
        (read_share, "1", Decimal(1)),
        (read_amount, 100, Decimal(100)),
        (read_amount, "0.5", Decimal("0.5")),
        (read_count, "3", 3),
        (read_count, 1, 1),
        (read_seconds, "1.5", 1.5),
        (read_seconds, 0, 0.0),
        (read_duration, "1d", timedelta(days=1)),
        (read_duration, " 36h ", timedelta(hours=36)),
        (read_duration, "90m", timedelta(minutes=90)),
        (read_duration, " ", None),
    ],
)
def test_value_is_read(read: Reader, value: object, expected: object) -> None:
    found = read(value)

    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (read_text, 5, "must be a text"),
        (read_text, "a\0", "must be a text"),
        (read_folder, ["a"], "must be a text"),
        (read_file, True, "must be a text"),
        (read_file, "gs://bills/b.duckdb", "must be a file on this machine"),
        (read_file, ":memory:", "what is in memory is gone"),
        (read_file, "C:\\bills.duckdb", "is a path of Windows"),
        (read_file, "file:///C:/bills.duckdb", "is a path of Windows"),
        (read_table_name, "_dlt_loads", "must not begin with _dlt"),
        (read_flag, 1, "must be true or false"),
        (read_memory, "4", "must be a size above zero, such as 512MB or 4GB"),
        (read_share, "NaN", "must be a number from 0 to 1"),
        (read_share, 1.1, "must be a number from 0 to 1"),
        (read_share, True, "must be a number from 0 to 1"),
        (read_amount, -1, "must be a number that is not negative"),
        (read_amount, "NaN", "must be a number that is not negative"),
        (read_amount, "much", "must be a number that is not negative"),
        (read_count, 1.5, "must be a whole number of at least 1"),
        (read_count, True, "must be a whole number of at least 1"),
        (read_seconds, "nan", "must be a number of seconds from 0 to 86400"),
        (read_seconds, 86401, "must be a number of seconds from 0 to 86400"),
        (read_duration, 36, "such as 90m, 36h or 1d"),
        (read_duration, "36", "such as 90m, 36h or 1d"),
        (read_duration, "0d", "such as 90m, 36h or 1d"),
        (read_duration, "1w", "such as 90m, 36h or 1d"),
    ],
)
def test_value_that_cannot_be_used_says_what_it_must_be(
    read: Reader, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(value)
