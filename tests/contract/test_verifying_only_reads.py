"""Verifying changes neither the table nor any file of this machine, and makes none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from cloudbill.looking.comparison import Verdict
from contract.conftest import LOOKING_WAYS
from contract.test_verification import change, load, october, verify, verify_one

if TYPE_CHECKING:
    from contract.places import Case

WAYS = LOOKING_WAYS
OWN_FILE = True


def test_verifying_changes_nothing(case: Case, tmp_path: Path) -> None:
    load(case, october("1", "2"))
    change(case, "DELETE FROM {table} WHERE {cost} = 2")
    held, tracked = case.held(), case.tracked()
    before = _files(tmp_path)
    assert verify_one(case).verdict is Verdict.DIFFERENT
    assert _files(tmp_path) == before
    assert (case.held(), case.tracked()) == (held, tracked)


def test_verifying_an_empty_warehouse_makes_no_file(case: Case, tmp_path: Path) -> None:
    before = _files(tmp_path)
    verify(case, "2025-10")
    assert _files(tmp_path) == before


def _files(folder: Path) -> dict[str, str]:
    """Every file of the test but those of dlt, which keeps its own log, with its content."""
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.relative_to(folder).parts[0] != "dlt"
    }
