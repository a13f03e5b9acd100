"""The words that `plan`, `load`, `status`, `verify` and their JSON use of runs and months."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WORDS", "error_of"]

_GUARDS: Final[Mapping[str, str]] = {
    "days": "Held: the run lacks a day that the loaded run, or another one before it, covers.",
    "rows": "Held: the run has no rows, or fewer than `max_row_drop` allows.",
    "costs": "Held: the run bills less than `max_cost_drop` allows, and not because of credits.",
    "scope": "Held: the run is of another subscription or account than the source.",
    "slice": "Held: the run is a week or a day of its month, and not the month so far.",
    "time": "Held: the run says that it was submitted at a time that has not come.",
    "longer_part": "Held: a part is longer than its manifest states, so it is of another delivery.",
    "changed_parts": "Held: the parts of the loaded run were changed, and its manifest was not.",
}
_RUNS: Final[Mapping[str, str]] = {
    "already_loaded": "The month holds this delivery, so there is nothing to do.",
    "superseded": "A newer run of the month is loaded instead. An export to date contains all that "
    "its older runs did, so nothing is lost.",
    "older_than_loaded": "The month holds a newer run, and an older one never replaces it. If you "
    "want it all the same, `cloudbill load SOURCE --run ID --month YYYY-MM` puts it in.",
    "not_selected": "The run is of a month that `--month` did not name.",
    "waiting": "A part is not there yet or is shorter than stated, or its files may still change. "
    "The run is loaded once it is whole; longer than `max_wait` is an alarm.",
    "held": "A guard found something that a person should look at first. The month stays as it "
    "was until the run is accepted or dismissed, or a newer one is loaded.",
    "dismissed": "A person said that this run is not wanted. It is not loaded, and nothing is "
    "compared with it; `cloudbill accept YYYY-MM RUN` takes that back.",
    "gone": "None of the parts of the run is in the store any more.",
    "expired": "The month is older than `partition_expiration_days` keeps, so BigQuery would "
    "delete it as soon as it is loaded.",
    "pinned": "A person put another run into the month, when the store held this one already. The "
    "month stays with that run until a newer one comes than all that the store held then, or until "
    "`cloudbill load SOURCE --month YYYY-MM --release`.",
    "new": "The next load takes this run.",
    "again": "The table does not hold what was loaded, or the last try failed, so the next load "
    "takes this run once more.",
}
_MESSAGES: Final[Mapping[str, str]] = {
    "settle": "Waiting: a part is longer than its manifest states, or it is newer or far older "
    "than a manifest that states no sizes, so more files of the delivery may come. The run is "
    "judged once the newest of its files is an hour old.",
    "longer": "Waiting or held: a part has more bytes than its manifest states, so it is of "
    "another delivery. For an hour its manifest may follow, then the run is held.",
}
_MONTHS: Final[Mapping[str, str]] = {
    "loaded": "The month holds a run that is recorded in the ledger.",
    "not_loaded": "Runs of the month were delivered, or the table has rows of it, but no load of "
    "it is recorded.",
    "missing": "The month is between others, and nothing was delivered or loaded for it.",
    "equal": "The files of the month, its table and its record have as many rows, and the same "
    "sums of each cost column by currency, to the last digit. Other columns are not compared.",
    "different": "The files of the month, its table and its record differ.",
    "not_checkable": "The files of the loaded run are gone, or no amounts were recorded, so there "
    "is nothing to compare with. `verify --strict` counts it as different.",
}
_COUNTS: Final[Mapping[str, str]] = {
    "failed": "A month that was to be replaced and was not; the old month is unchanged.",
    "unreadable_manifests": "Manifests that cannot be read; their runs are not loaded.",
    "failed_sources": "Sources that ended with an error, so that not all of their months were "
    "looked at.",
    "reasons": "What a person should look at although no load failed; `--json` lists each.",
}
WORDS: Final[Mapping[str, str]] = {**_RUNS, **_GUARDS, **_MESSAGES, **_MONTHS, **_COUNTS}
"""What each word means."""
_ERRORS: Final[Mapping[str, str]] = {
    "held": "HeldError",
    "dismissed": "HeldError",
    **dict.fromkeys(_GUARDS, "HeldError"),
    "longer": "HeldError",
    "gone": "StaleError",
    "waiting": "StaleError",
    "settle": "StaleError",
    "different": "VerificationError",
    "failed": "LoadError",
    "unreadable_manifests": "ManifestError",
}


def error_of(word: str) -> str | None:
    """The name of the error that a person hears of what a word says, if that is an error."""
    return _ERRORS.get(word)
