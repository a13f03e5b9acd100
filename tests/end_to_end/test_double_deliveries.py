"""The same charges in two forms are said to be the same by every command that could add them up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aws_forms import write_data_export, write_report
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from end_to_end.conftest import Run


NAMES = ("a", "b", "c", "d")
CONFIGURATION = """
[sources]
bucket = "./exports"
prefix = "data-exports"
[sources.aws_focus_billing]
export_name = "focus"
""" + "".join(
    f"""[sources.aws_billing.{name}]
export_name = "{name}"
table_name = "bill_of_{name}"
"""
    for name in NAMES
)


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
    odd = int(other == "legacy")
    for words, code in (
        (("plan",), 0),
        (("load",), 0),
        (("status", "--check"), odd),
        (("doctor",), odd),
        (("report",), 0),
    ):
        done = run(*words)
        assert (words, done.returncode) == (words, code), done
        (line,) = told(done)
        assert line.startswith("LOOK  " if odd else "note  "), (words, line)
    assert len(told(run("load", "--quiet"))) == odd


def told(done: CompletedProcess[str]) -> list[str]:
    """The lines that name the sources of the account."""
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if " deliver the charges of 123456789012 for 2025-10;" in line]


def test_many_exports_of_one_account_are_one_line_which_a_key_ends(
    run: Run, tmp_path: Path
) -> None:
    for name in NAMES:
        write_data_export(tmp_path / "exports", name)
    write_data_export(tmp_path / "exports", "focus", table="focus")
    configure(tmp_path, CONFIGURATION)
    assert run("load").returncode == 0

    (line,) = told(run("status", "--check"))

    listed = "aws_billing.a, aws_billing.b, aws_billing.c, aws_billing.d and aws_focus_billing"
    assert line.startswith(f"LOOK  {listed} - all deliver the charges of 123456789012 for 2025-10;")
    assert "set 'in_focus = false' for each other source" in line
    assert "the view focus counts them once" in line
    (same,) = json.loads(run("status", "--check", "--json").stdout)["same_charges"]
    assert same == {
        "sources": [*(f"aws_billing.{name}" for name in NAMES), "aws_focus_billing"],
        "scope": "123456789012",
        "months": ["2025-10"],
        "is_odd": True,
    }
    others = CONFIGURATION
    for name in NAMES[1:]:
        others = others.replace(f'_of_{name}"\n', f'_of_{name}"\nin_focus = false\n')
    configure(tmp_path, others)
    assert run("focus").returncode == 0
    for words in (("status", "--check"), ("doctor",)):
        done = run(*words)
        assert (words, done.returncode) == (words, 0), done
        (line,) = told(done)
        assert line.startswith("note  aws_billing.a and aws_focus_billing - both deliver")
    checks = json.loads(run("doctor", "--json").stdout)["checks"]
    assert [one["result"] for one in checks if "deliver" in one["found"]] == ["note"]


def test_two_accounts_are_no_doubles(run: Run, tmp_path: Path) -> None:
    bucket = tmp_path / "exports"
    write_data_export(bucket, "cur2", account="1")
    write_data_export(bucket, "focus", table="focus", account="2")
    for words in (("init", "--bucket", "./exports", "--all"), ("load",), ("doctor",)):
        done = run(*words)
        assert (words, done.returncode) == (words, 0), done
        assert "doubles the bill" not in done.stdout + done.stderr
