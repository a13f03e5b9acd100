"""What every error and every exit code means, what causes it, and what to do.

This is the only place for the text, with `explained_failures` and `explained_words`: `cloudbill
explain` prints it, docs/errors.md is made from it.
"""

from __future__ import annotations

from typing import Final

from cloudbill.text.exit_codes import EXIT_CODES, ExitCode
from cloudbill.text.explained_failures import FAILURES
from cloudbill.text.explained_words import WORDS, error_of
from cloudbill.text.explanation import Explanation

__all__ = [
    "EXIT_CODES",
    "EXPLANATIONS",
    "ExitCode",
    "Explanation",
    "WORDS",
    "explanation_of",
    "explanations_of_code",
]

EXPLANATIONS: Final = (
    *FAILURES,
    Explanation(
        name="HeldError",
        exit_code=6,
        means="A run is held because of what it would replace. Nothing was changed.",
        causes=(
            (
                "The newer run lacks a day of the loaded run, or of another run that is newer than "
                "the loaded one."
            ),
            "The newer run has no rows, or fewer than `max_row_drop` allows.",
            (
                "The run is a slice: its export delivers weeks or days (`WeekToDate`), or it has "
                "no day in common with another run of the month. A month is loaded from one run, "
                "so cloudbill needs exports of the month to date."
            ),
            (
                "The run is of another scope than the loaded runs: exports of two subscriptions "
                "or accounts share a folder and a name."
            ),
            "The run says that it was submitted at a time that has not come.",
            (
                "A part is longer than its manifest states, or the parts of the loaded run were "
                "changed and its manifest was not: they are parts of another delivery."
            ),
            (
                "The newer run bills less than `max_cost_drop` allows, and not because of credits: "
                "its rows have no costs, or the export is filtered now. If BigQuery reads the "
                "files itself, this is known only after the load, and the run is loaded."
            ),
        ),
        remedies=(
            "Look at the held run: `cloudbill status`.",
            (
                "If the run is right, load it: `cloudbill accept YYYY-MM` shows what the month "
                "holds and would hold, and asks; a script adds `--yes`. A slice is loaded only "
                "with `--slice`, and the other days of its month will be empty. A run of another "
                "scope moves the source to that scope from its month on."
            ),
            (
                "If exports of several scopes share a folder, give each a section of its own with "
                "`scope` and `table_name`."
            ),
            (
                "If it is not, `cloudbill dismiss SOURCE YYYY-MM` ends the alarm. The old month "
                "stays, and a later run replaces it. A dismissed run is not loaded, and nothing is "
                "compared with it; `cloudbill plan` lists it, and `cloudbill accept YYYY-MM RUN` "
                "takes it back. Another delivery under its id is not dismissed."
            ),
        ),
    ),
    Explanation(
        name="VerificationError",
        exit_code=7,
        means="The files of a month, its table and the record of its load differ.",
        causes=(
            (
                "Somebody changed the table after it was loaded. `load` loads such a month again, "
                "and ends with 7 where the files of its run are gone; until then `status --check` "
                "ends with 7."
            ),
            (
                "A load was killed before it recorded the month, or the ledger was lost: the next "
                "`load` replaces the rows."
            ),
            "The table holds rows whose period is empty or impossible.",
            "The files were changed after they were loaded.",
        ),
        remedies=(
            "Run `cloudbill load`: it loads the month again.",
            "See where it differs, and by how much: `cloudbill verify --month YYYY-MM`.",
            (
                "If the files are right, load the month again: `cloudbill load --force --month "
                "YYYY-MM`."
            ),
            "If the files are gone, have them delivered again, or put back what the table held.",
            "See rows of no month, and delete them, as `cloudbill doctor` says.",
        ),
    ),
    Explanation(
        name="StaleError",
        exit_code=8,
        means="A delivery is late: the newest of a source is older than you allow, or a run lacks "
        "a part for longer than `max_wait`. Or a view is missing, or out of date.",
        causes=(
            "The export at the provider is switched off, or has expired.",
            "The job that copies the export between clouds has stopped, or its key has expired.",
            "`prefix` or `export_name` points to an older export.",
            "The copy job leaves some files out, or a rule of the bucket deleted a part.",
            (
                "None of a run's parts is in the store any more: the run is gone. That is an alarm "
                "where its month is not loaded, and for a week where it is."
            ),
            (
                "A table was changed, or `in_focus` was, or cloudbill has another version, since "
                "the views were made. Or someone deleted a view."
            ),
        ),
        remedies=(
            "See how old each source is, and which runs wait: `cloudbill status`.",
            "Check the export at the provider, then the job that copies the export.",
            (
                "If you do not need a run that waits or is gone, `cloudbill dismiss SOURCE YYYY-MM "
                "RUN` ends the alarm, and so does deleting its manifest."
            ),
            (
                "If a source is always slow, allow more time: `cloudbill status --max-age 3d`, or "
                "the keys `max_age` and `max_wait`."
            ),
            "Make the views again: `cloudbill focus`.",
        ),
    ),
    Explanation(
        name="StoppedError",
        exit_code=130,
        means="You stopped the command. The months that were loaded before are kept; the month in "
        "progress stays as it was.",
        causes=("Ctrl-C, or a scheduler that asked the process to end.",),
        remedies=("Run `cloudbill load` again: it continues with what is missing.",),
    ),
)

_BY_NAME: Final = {explanation.name.lower(): explanation for explanation in EXPLANATIONS}


def explanation_of(name: str) -> Explanation | None:
    """The explanation of an error class, or of what `plan` and JSON say of a run that is kept back.

    The name may be in any case; None if there is none.
    """
    return _BY_NAME.get((error_of(name.lower()) or name).lower())


def explanations_of_code(code: int) -> tuple[Explanation, ...]:
    """Every kind of error that ends with an exit code; none for 0 or an unused number."""
    return tuple(explanation for explanation in EXPLANATIONS if explanation.exit_code == code)
