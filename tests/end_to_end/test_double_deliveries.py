"""The same charges in two forms are said to be the same by every command that could add them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aws_forms import write_data_export, write_report

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.conftest import Run


@pytest.mark.parametrize("other", ["focus", "legacy"])
def test_two_exports_of_one_account_are_named_everywhere(
    run: Run, tmp_path: Path, other: str
) -> None:
    bucket = tmp_path / "exports"
    write_data_export(bucket, "cur2")
    if other == "focus":
        write_data_export(bucket, "focus", table="focus")
    else:
        write_report(bucket, "legacy")
    found = run("init", "--bucket", "./exports", "--all")
    assert found.returncode == 0, found
    (line,) = [text for text in found.stderr.splitlines() if "doubles the bill" in text]
    assert "aws: cur2" in line
    assert f": {other}" in line
    assert "deliver the same charges, those of 123456789012" in line
    said = "both deliver the charges of 123456789012"
    for words, code in (
        (("plan",), 0),
        (("load",), 0),
        (("status", "--check"), 1),
        (("doctor",), 1),
        (("report",), 0),
    ):
        done = run(*words)
        assert (words, done.returncode) == (words, code), done
        assert said in done.stdout + done.stderr, (words, done)


def test_two_accounts_are_no_doubles(run: Run, tmp_path: Path) -> None:
    bucket = tmp_path / "exports"
    write_data_export(bucket, "cur2", account="1")
    write_data_export(bucket, "focus", table="focus", account="2")
    for words in (("init", "--bucket", "./exports", "--all"), ("load",), ("doctor",)):
        done = run(*words)
        assert (words, done.returncode) == (words, 0), done
        assert "doubles the bill" not in done.stdout + done.stderr
