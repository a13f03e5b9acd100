"""What is counted is one or many."""

from __future__ import annotations

import re
from pathlib import Path

import cloudbill
from cloudbill.text.counts import counted


def test_one_is_one_and_every_other_number_is_many() -> None:
    assert [counted(number, "row") for number in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert counted(12345, "row", ",") == "12,345 rows"
    assert counted(1.0, "day", "g") == "1 day"
    assert counted(1.5, "day", "g") == "1.5 days"
    assert counted(1, "run was", plural="runs were") == "1 run was"
    assert counted(3, "run was", plural="runs were") == "3 runs were"


def test_no_other_module_puts_an_s_to_a_word_itself() -> None:
    own = re.compile(r"""['"]{2} if .* == 1 else ['"]s['"]""")
    root = Path(cloudbill.__file__).parent
    assert not [path.name for path in root.rglob("*.py") if own.search(path.read_text())]
