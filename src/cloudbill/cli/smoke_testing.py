"""The command that tries on a real project what only the service itself can show."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cloudbill.cli.app import INTERRUPTED
from cloudbill.cli.console import Console, Verbose
from cloudbill.cli.each_source import attempt, code_with
from cloudbill.cli.signals import stopped_by_signals

if TYPE_CHECKING:
    from cloudbill.doctor.smoke import SmokeTest
    from cloudbill.doctor.smoke_place import Place
    from cloudbill.doctor.smoke_point import Finding
    from cloudbill.text.failures import SourceFailure

__all__ = ["smoke_test"]

_FILE: Final = Path("cloudbill-smoke-test.json")
_YES: Final = {"y", "yes"}


def smoke_test(
    *,
    project: Annotated[str, typer.Option(help="The Google Cloud project to try it in.")],
    bucket: Annotated[str, typer.Option(help="A bucket that the account may write to.")],
    location: Annotated[
        str | None, typer.Option(help="Where the dataset is made; by default where the bucket is.")
    ] = None,
    other_bucket: Annotated[
        str | None, typer.Option(help="A bucket in another region, to load from there as well.")
    ] = None,
    json_file: Annotated[
        Path, typer.Option("--json", help="Where all that was seen is written.", metavar="FILE")
    ] = _FILE,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the dataset and the folder for a look.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; begin at once.")] = False,
    verbose: Verbose = False,
) -> None:
    """Try on a real project what only BigQuery itself can show; remove all of it afterwards.

    It works in a dataset and a folder of its own, and says first what it does and what that costs.
    """
    console = Console(verbose=verbose)
    failures: list[SourceFailure] = []
    tests: list[SmokeTest] = []

    def begin() -> None:
        _require_client()
        from cloudbill.doctor.smoke import SmokeTest
        from cloudbill.doctor.smoke_place import choose_place
        from cloudbill.report.collecting import months_reported

        place = choose_place(
            project=project, bucket=bucket, other_bucket=other_bucket, location=location
        )
        if _is_wanted(console, place, keep=keep, yes=yes):
            tests.append(
                SmokeTest(place=place, attempt=attempt, months_reported=months_reported, keep=keep)
            )

    attempt(None, begin, failures.append)
    if not tests:
        console.close(failures)
    raise typer.Exit(_carry_out(console, tests[0], json_file))


def _require_client() -> None:
    """Refuses to begin without the client of BigQuery, which not every installation has.

    Raises:
        ConfigError: If it is not installed.
    """
    from cloudbill.disk.installation import adding_extra
    from cloudbill.errors import ConfigError

    try:
        import_module("cloudbill.doctor.smoke")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The smoke test needs BigQuery's client ({error.name} is missing); install it: "
            f"{adding_extra('bigquery')}"
        ) from error


def _is_wanted(console: Console, place: Place, *, keep: bool, yes: bool) -> bool:
    """Says what will be done, and asks.

    Raises:
        ConfigError: If there is nobody to ask.
    """
    from cloudbill.doctor.smoke_words import intention_lines
    from cloudbill.errors import ConfigError

    for line in intention_lines(place, keep=keep):
        console.say(line)
    if yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError("Nobody can be asked here, so nothing was made. Give --yes to begin")
    try:
        answer = input("Begin? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() in _YES:
        return True
    console.say("Nothing was made")
    return False


def _carry_out(console: Console, test: SmokeTest, file: Path) -> int:
    """Runs the test, prints and writes what it found, and gives the exit code."""
    from cloudbill.doctor.smoke_words import left_lines, smoke_json
    from cloudbill.loading.stopping import Stop
    from cloudbill.periods import utc_now

    failures: list[SourceFailure] = []
    began_at, began, is_stopped = utc_now(), time.monotonic(), False
    stop = Stop()

    def run() -> None:
        test.run(lambda finding: _show(console, finding), stop)

    try:
        with stopped_by_signals(stop):
            attempt(None, run, failures.append)
    except KeyboardInterrupt:
        is_stopped = True
    for line in left_lines(test):
        console.say(line)
    code = INTERRUPTED if is_stopped else code_with([test.exit_code], failures)
    errors = [failure.error for failure in failures]
    errors += [test.not_removed] if test.not_removed else []
    seconds = time.monotonic() - began
    text = smoke_json(test, errors, began_at=began_at, seconds=seconds, exit_code=code)

    def write() -> None:
        _write(file, text)
        console.say(f"Wrote {file}: attach it to a report of a fault")

    attempt(None, write, failures.append)
    if test.not_removed is not None:
        console.failed(None, test.not_removed)
    for failure in failures:
        console.ended(failure)
    return INTERRUPTED if is_stopped else code_with([test.exit_code], failures)


def _show(console: Console, finding: Finding) -> None:
    from cloudbill.doctor.smoke_point import Verdict
    from cloudbill.doctor.smoke_words import finding_line

    colours = {Verdict.AS_EXPECTED: "green", Verdict.NOT_TRIED: "yellow"}
    console.judge(finding_line(finding), colours.get(finding.verdict, "red"))


def _write(file: Path, text: str) -> None:
    """Writes the file.

    Raises:
        ConfigError: If it cannot be written.
    """
    from cloudbill.errors import ConfigError

    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
