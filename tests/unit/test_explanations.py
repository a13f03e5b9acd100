"""Every error and every exit code is explained, once, and in words that help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cloudbill import errors
from cloudbill.errors import Guard
from cloudbill.loading.outcome import counts_of
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.status import MonthState, Pending
from cloudbill.models import SkipReason
from cloudbill.text.explained_words import WORDS, error_of
from cloudbill.text.explanations import (
    EXIT_CODES,
    EXPLANATIONS,
    Explanation,
    explanation_of,
    explanations_of_code,
)
from end_to_end.conftest import run_in
from unit.source_tree import raised

USAGE = "UsageError"


def explain(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs `cloudbill explain`."""
    return run_in(Path(), "explain", *words)


class TestCompleteness:
    def test_every_error_class_is_explained_once_with_its_own_exit_code(self) -> None:
        told = [(known.name, known.exit_code) for known in EXPLANATIONS if known.name != USAGE]
        assert sorted(told) == [
            (name, error.exit_code) for name, error in sorted(raised(errors).items())
        ]

    def test_a_wrong_command_line_is_explained_with_the_code_that_it_ends_with(self) -> None:
        known = explanation_of(USAGE)
        assert known is not None
        done = subprocess.run(
            [str(Path(sys.executable).parent / "cloudbill"), "load", "--no-such-option"],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == known.exit_code

    def test_every_exit_code_of_an_error_is_in_the_table_and_no_other_but_0(self) -> None:
        codes = [code.code for code in EXIT_CODES]
        assert codes == sorted({0, *(known.exit_code for known in EXPLANATIONS)})

    @pytest.mark.parametrize("known", EXPLANATIONS, ids=lambda known: known.name)
    def test_every_explanation_has_causes_and_remedies_in_whole_sentences(
        self, known: Explanation
    ) -> None:
        for texts in ((known.means,), known.causes, known.remedies):
            assert texts
            assert all(text[:1].isupper() or text.startswith("`") for text in texts)
            assert all(text.endswith(".") for text in texts)


class TestLookUp:
    def test_a_class_is_found_by_its_name_whatever_the_case(self) -> None:
        assert explanation_of("LoadError") is explanation_of("loaderror")
        assert explanation_of("NoSuchError") is None

    @pytest.mark.parametrize("word", ["held", "dismissed", "Gone", "waiting", *map(str, Guard)])
    def test_what_is_said_of_a_run_that_is_kept_back_is_found(self, word: str) -> None:
        found = explanation_of(word)
        assert found is not None
        assert found.name == ("StaleError" if word in {"Gone", "waiting"} else "HeldError")

    def test_every_word_that_a_command_or_its_json_says_is_explained_and_no_other(self) -> None:
        said = {
            *map(str, (*SkipReason, *Guard, *Pending, *MonthState, *Verdict)),
            *counts_of(()),
            *("settle", "longer"),  # words of messages
        }
        assert {*WORDS} == said
        errors_told = {known.name for known in EXPLANATIONS}
        assert {error for word in WORDS if (error := error_of(word))} <= errors_told
        assert all(text[:1].isupper() and text.endswith(".") for text in WORDS.values())

    def test_a_code_finds_every_kind_that_ends_with_it(self) -> None:
        assert {known.name for known in explanations_of_code(5)} == {
            name for name, error in raised(errors).items() if error.exit_code == 5
        }
        assert explanations_of_code(0) == ()


@pytest.mark.usefixtures("own_dlt")
class TestCommand:
    def test_without_a_name_it_lists_every_exit_code(self) -> None:
        done = explain()
        listed = [line.split()[0] for line in done.stdout.splitlines() if line[:5].strip()]
        for code in EXIT_CODES:
            assert str(code.code) in listed
        assert done.returncode == 0

    @pytest.mark.parametrize("known", EXPLANATIONS, ids=lambda known: known.name)
    def test_a_name_prints_all_that_is_known_of_it(self, known: Explanation) -> None:
        done = explain(known.name)
        text = " ".join(done.stdout.split())
        assert text.startswith(f"{known.name} (exit code {known.exit_code})")
        assert all(part in text for part in (known.means, *known.causes, *known.remedies))
        assert max(len(line) for line in done.stdout.splitlines()) <= 80

    def test_a_word_is_printed_with_the_error_that_it_may_be(self) -> None:
        assert explain("Superseded").stdout.startswith("superseded\n\nA newer run")
        assert "\nStaleError (exit code 8)\n" in explain("settle").stdout

    def test_a_code_prints_what_it_means_and_every_kind_of_it(self) -> None:
        text = explain("4").stdout
        assert text.startswith("Exit code 4\n")
        assert "\nStoreError (exit code 4)\n" in text
        assert "\nPartMissingError (exit code 4)\n" in text
        assert explain("0").returncode == 0

    @pytest.mark.parametrize(
        ("word", "message"),
        [
            ("LodError", "Did you mean 'LoadError'?"),
            ("superceded", "Did you mean 'superseded'?"),
            ("99", "There is no exit code 99"),
        ],
    )
    def test_what_does_not_exist_is_said_with_what_does(self, word: str, message: str) -> None:
        done = explain(word)
        assert done.returncode == 2
        assert message in done.stderr
        assert done.stdout == ""
