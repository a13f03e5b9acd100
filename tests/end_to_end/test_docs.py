"""What the pages point to is there."""

from __future__ import annotations

import re

import pytest

from end_to_end.conftest import ROOT

PROMISES = (ROOT / "docs/promises.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", PROMISES)))


@pytest.mark.parametrize(
    ("path", "name"), TESTS, ids=[f"{path} {name}".strip() for path, name in TESTS]
)
def test_a_test_that_a_promise_names_exists(path: str, name: str) -> None:
    text = (ROOT / path).read_text()
    assert "def test_" in text
    assert not name or f"class {name}" in text


def test_every_promise_names_a_test() -> None:
    sections = PROMISES.split("\n## ")[1:]
    assert len(sections) >= 10
    assert all("`tests/" in section for section in sections)
