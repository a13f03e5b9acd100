"""The properties try a fifth of their examples in every run, and `docs/promises.md` counts them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from figures import EXAMPLES, examples

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parents[1]
PROMISES = (TESTS.parent / "docs/promises.md").read_text(encoding="utf-8")


def full_numbers() -> Iterator[int]:
    """The full number of examples of each property."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        shared = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            decorators = [
                shared.get(found.id, found) if isinstance(found, ast.Name) else found
                for found in node.decorator_list
            ]
            named = {
                call.func.id: call
                for call in decorators
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
            }
            if "given" in named:
                assert "tries" in named, f"{file.name}: {node.name} says no number of examples"
                yield int(ast.literal_eval(named["tries"].args[0]))


def test_a_fifth_is_tried_unless_more_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(EXAMPLES, raising=False)
    assert [examples(300), examples(100), examples(1)] == [60, 20, 1]

    monkeypatch.setenv(EXAMPLES, "3")
    assert [examples(300), examples(1)] == [900, 3]


def test_the_page_says_how_many_examples_are_left_to_the_long_run() -> None:
    numbers = list(full_numbers())
    said = re.search(
        r"The (\d+) properties try ([\d,]+) of their ([\d,]+) examples in every run .*"
        r"and so ([\d,]+) more",
        " ".join(PROMISES.split()),
    )
    tried = sum(round(number / 5) for number in numbers)

    assert said
    assert [int(number.replace(",", "")) for number in said.groups()] == [
        len(numbers),
        tried,
        sum(numbers),
        sum(numbers) - tried,
    ]
