"""The command that writes the first configuration, by questions or by options."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudbill.cli.app import INTERRUPTED
from cloudbill.cli.choosing import Choice, Wanted
from cloudbill.cli.console import Console, Verbose
from cloudbill.cli.questions import Questions, read_any, read_warehouse
from cloudbill.settings.keys import key_named

if TYPE_CHECKING:
    from cloudbill.setup.answers import Answers, Change

__all__ = ["init"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options of the command line; None for an option that was not given."""

    provider: str | None
    bucket: str | None
    prefix: str | None
    export_name: str | None
    name: str | None
    scope: str | None
    table_name: str | None
    project_id: str | None
    dataset: str | None
    location: str | None
    database: str | None
    replaces: bool
    takes_all: bool
    yes: bool

    @property
    def is_enough(self) -> bool:
        """Whether nothing has to be asked."""
        named = self.bucket and (self.takes_all or (self.provider and self.export_name))
        return bool(named and (self.project_id or self.database or self.yes))


def _option_of(key: str) -> Any:
    """The option that gives a key of the configuration, with the help of that key."""
    return typer.Option(help=key_named(key).help)


def init(
    *,
    provider: Annotated[
        str | None,
        typer.Option(help="Who bills: azure or aws; aws_focus for FOCUS exports of AWS alone."),
    ] = None,
    bucket: Annotated[str | None, _option_of("bucket")] = None,
    prefix: Annotated[str | None, _option_of("prefix")] = None,
    export_name: Annotated[str | None, _option_of("export_name")] = None,
    name: Annotated[
        str | None, typer.Option(help="A name for a second export: [sources.azure_billing.<name>].")
    ] = None,
    scope: Annotated[str | None, _option_of("scope")] = None,
    table_name: Annotated[str | None, _option_of("table_name")] = None,
    project_id: Annotated[str | None, _option_of("project_id")] = None,
    dataset: Annotated[str | None, _option_of("dataset")] = None,
    location: Annotated[str | None, _option_of("location")] = None,
    database: Annotated[str | None, _option_of("database")] = None,
    replaces: Annotated[
        bool, typer.Option("--replace", help="Change the section if it already exists.")
    ] = False,
    takes_all: Annotated[
        bool,
        typer.Option("--all", help="Configure every export that is found; what is there stays."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Ask nothing; use the defaults. Where several exports are found, --all or "
            "--export-name must say which are wanted.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Find your exports and write .dlt/config.toml; keep everything that is in it.

    All providers are looked for at once, and each export that you choose gets a section and a table
    of its own: [sources.aws_billing] for the first of a provider, [sources.aws_billing.<name>] for
    others.
    """
    given = {name: value for name, value in locals().items() if name != "verbose"}
    from cloudbill.errors import CloudbillError

    console, options = Console(verbose=verbose), _Options(**given)
    may_ask = sys.stdin.isatty() and not yes and not options.is_enough
    try:
        questions = Questions(console=console, may_ask=may_ask)
        _Interview(console=console, options=options, questions=questions).hold()
    except (EOFError, KeyboardInterrupt) as error:
        console.warn("\nStopped; nothing was written")
        raise typer.Exit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1) from error
    except CloudbillError as error:
        console.end(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interview:
    """Gets every answer from the options, from the store, or by a question."""

    console: Console
    options: _Options
    questions: Questions

    def hold(self) -> None:
        """Runs from the first question to naming the next command."""
        from cloudbill.setup.answers import write_changes
        from cloudbill.setup.config_file import config_file, read_config

        file = config_file()
        before = read_config(file)
        self._check_options()
        exports = self._exports()
        is_one = len(exports) == 1 and not self.options.takes_all
        if not is_one:
            self._require_options_for_several()
        warehouse = self._warehouse()
        sources = [self._with_warehouse(export, warehouse) for export in exports]
        changes = [self._plan(file, before, sources[0])] if is_one else None
        if changes is None:
            changes = self._plan_several(file, before, sources)
        if not changes:
            self.console.say("Nothing was written: every export is configured already")
            return
        self._show(changes)
        if self.questions.may_ask and not self.questions.ask_yes(f"Write it to {file}"):
            self.console.say("Nothing was written")
            return
        write_changes(changes)
        self.console.say(f"Wrote {file}")
        self._keep_out_of_git(changes)
        self._say_what_is_next(changes)

    def _check_options(self) -> None:
        from cloudbill.settings.names import read_dataset, read_project, read_source_name
        from cloudbill.setup.answers import read_bucket, read_database, read_provider

        given = self.options
        for answer, check in (
            (given.provider, read_provider),
            (given.bucket, read_bucket),
            (given.name, read_source_name),
            (given.project_id, read_project),
            (given.dataset, read_dataset),
            (given.database, read_database),
        ):
            if answer is not None:
                check(answer)

    def _require_options_for_several(self) -> None:
        """Refuses options that only one section can have."""
        from cloudbill.errors import ConfigError

        given = self.options
        of_one = {
            "--name": given.name,
            "--table-name": given.table_name,
            "--scope": given.scope,
            "--replace": given.replaces or None,
        }
        for option, answer in of_one.items():
            if answer is not None:
                raise ConfigError(
                    f"{option} is for one export; choose one, or leave it out: several exports "
                    "get sections and tables by their names"
                )

    def _exports(self) -> tuple[Answers, ...]:
        from cloudbill.setup.answers import read_provider

        given = self.options
        wanted = Wanted(
            provider=given.provider and read_provider(given.provider),
            bucket=given.bucket,
            prefix=given.prefix,
            export_name=given.export_name,
            takes_all=given.takes_all,
        )
        found = Choice(questions=self.questions, wanted=wanted).exports()
        return tuple(
            replace(one, name=given.name, table_name=given.table_name, scope=given.scope)
            for one in found
        )

    def _warehouse(self) -> _Options:
        """The warehouse: from the options, or by a question, or DuckDB."""
        from cloudbill.settings.names import read_dataset, read_project
        from cloudbill.setup.answers import read_database

        given, questions = self.options, self.questions
        if not questions.may_ask or given.project_id is not None or given.database is not None:
            return given
        question = "The warehouse, duckdb or bigquery"
        if questions.ask(question, read_warehouse, default="duckdb") == "duckdb":
            return replace(given, database=questions.ask_for("database", read_database))
        more = "; empty: where BigQuery does"
        return replace(
            given,
            project_id=questions.ask_for("project_id", read_project),
            dataset=given.dataset or questions.ask_for("dataset", read_dataset),
            location=given.location or questions.ask_for("location", read_any, more=more),
        )

    @staticmethod
    def _with_warehouse(answers: Answers, chosen: _Options) -> Answers:
        return replace(
            answers,
            project_id=chosen.project_id,
            dataset=chosen.dataset,
            location=chosen.location or None,
            database=chosen.database,
        )

    def _plan(self, file: Path, before: str, answers: Answers) -> Change:
        """The change; if the section exists, under another name or with the section replaced."""
        from cloudbill.errors import ConfigError
        from cloudbill.settings.names import read_source_name
        from cloudbill.setup.answers import plan_change
        from cloudbill.setup.config_file import SectionThereError

        is_replacing = self.options.replaces
        while True:
            try:
                return plan_change(file, before, answers, replace=is_replacing)
            except SectionThereError as error:
                if not self.questions.may_ask:
                    raise ConfigError(
                        f"{error}. Give --replace to change it, or --name for a second export"
                    ) from error
                self.console.warn(f"  {error}")
            name = self.questions.ask(
                "A name for a second export, or empty to change that section",
                lambda answer: read_source_name(answer) if answer else "",
                default="",
            )
            is_replacing = not name
            answers = replace(answers, name=name or answers.name)

    def _plan_several(self, file: Path, before: str, several: Sequence[Answers]) -> list[Change]:
        """The changes, each in a section of its own; none for what is configured already."""
        from cloudbill.settings import dlt_providers, read_each_source
        from cloudbill.setup.answers import plan_changes
        from cloudbill.setup.naming import named_apart

        configured = read_each_source(dlt_providers(), os.environ)
        named = named_apart(several, configured, before, file)
        for export, source in named.known:
            where = f" in {export.prefix}" if export.prefix else ""
            self.console.say(f"{export.export_name}{where} is in [sources.{source}] already")
        return list(plan_changes(file, before, named.answers))

    def _show(self, changes: Sequence[Change]) -> None:
        from cloudbill.setup.config_file import section_text

        self.console.say(f"\nFor {changes[0].file}:\n")
        for change in changes:
            self.console.say(section_text(change.answers.section, change.values))
            gone = sorted(set(change.before.splitlines()) - set(change.after.splitlines()))
            for line in gone:
                self.console.say(f"# instead of: {line}")

    def _keep_out_of_git(self, changes: Sequence[Change]) -> None:
        from cloudbill.setup.ignoring import ignore_in_git

        read = [change.settings for change in changes]
        added = ignore_in_git(Path.cwd(), [one.database for one in read if not one.project_id])
        if added:
            self.console.say(f"Added to .gitignore: {', '.join(added)}")

    def _say_what_is_next(self, changes: Sequence[Change]) -> None:
        from cloudbill.setup.answers import credentials_advice

        for line in credentials_advice(changes):
            self.console.say(line)
        self.console.say("Next: `cloudbill doctor`, then `cloudbill load`")
