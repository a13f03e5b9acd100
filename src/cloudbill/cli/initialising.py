"""The command that writes the first configuration, by questions or by options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from cloudbill.cli.app import INTERRUPTED
from cloudbill.cli.console import Console, Verbose
from cloudbill.settings.keys import key_named

if TYPE_CHECKING:
    from cloudbill.setup.answers import Answers, Change
    from cloudbill.setup.export_search import Finding, FoundExport

__all__ = ["init"]

_YES: Final = {"", "y", "yes"}
_NO: Final = {"n", "no"}


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
    replace: bool
    yes: bool

    @property
    def is_enough(self) -> bool:
        """Whether nothing has to be asked."""
        named = self.provider and self.bucket and self.export_name
        return bool(named and (self.project_id or self.database or self.yes))


def _option_of(key: str) -> Any:
    """The option that gives a key of the configuration, with the help of that key."""
    return typer.Option(help=key_named(key).help)


def init(
    *,
    provider: Annotated[str | None, typer.Option(help="Who bills: azure or aws.")] = None,
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
    replace_section: Annotated[
        bool, typer.Option("--replace", help="Change the section if it already exists.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; use the defaults.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Find your exports and write .dlt/config.toml; keep everything that is in it."""
    from cloudbill.errors import CloudbillError

    console = Console(verbose=verbose)
    options = _Options(
        provider=provider,
        bucket=bucket,
        prefix=prefix,
        export_name=export_name,
        name=name,
        scope=scope,
        table_name=table_name,
        project_id=project_id,
        dataset=dataset,
        location=location,
        database=database,
        replace=replace_section,
        yes=yes,
    )
    may_ask = sys.stdin.isatty() and not yes and not options.is_enough
    try:
        _Interview(console=console, options=options, may_ask=may_ask).hold()
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
    may_ask: bool

    def hold(self) -> None:
        """Runs from the first question to naming the next command."""
        from cloudbill.setup.answers import write_change
        from cloudbill.setup.config_file import config_file, read_config

        file = config_file()
        before = read_config(file)
        self._check_options()
        answers = self._warehouse(self._export())
        change, answers = self._plan(file, before, answers)
        self._show(change, answers)
        if self.may_ask and not self._is_wanted(file):
            self.console.say("Nothing was written")
            return
        settings = write_change(change, answers)
        self.console.say(f"Wrote {file}")
        self._say_what_is_next(settings.source, answers)

    def _check_options(self) -> None:
        from cloudbill.settings.names import read_dataset, read_project, read_source_name
        from cloudbill.setup.answers import read_bucket, read_provider

        given = self.options
        for answer, check in (
            (given.provider, read_provider),
            (given.bucket, read_bucket),
            (given.name, read_source_name),
            (given.project_id, read_project),
            (given.dataset, read_dataset),
        ):
            if answer is not None:
                check(answer)

    def _export(self) -> Answers:
        """The provider of the export, and where the export is."""
        from cloudbill.setup.answers import read_bucket, read_provider

        given = self.options
        provider = given.provider and read_provider(given.provider)
        if provider is None and self.may_ask:
            provider = self._ask("Who bills, azure or aws", read_provider, default="azure")
        bucket, finding = self._look(provider)
        if finding is None:
            # There is nothing to search, or no way to search: the user names the export.
            return self._by_hand(provider, read_bucket(bucket))
        matching = [
            export for export in finding.exports if given.export_name in {None, export.export_name}
        ]
        if len(matching) == 1:
            self._say_found(matching[0])
            return self._of_found(bucket, matching[0])
        if not self.may_ask:
            from cloudbill.setup.answers import no_choice_error

            raise no_choice_error(
                replace(finding, exports=tuple(matching)), bucket, given.prefix or ""
            )
        if not matching:
            self._say_nothing_found(finding, bucket)
            return self._by_hand(provider, bucket)
        return self._of_found(bucket, self._choose(matching, finding))

    def _look(self, provider: str | None) -> tuple[str, Finding | None]:
        """The bucket, and the exports in it unless the options name one."""
        from cloudbill.errors import CloudbillError
        from cloudbill.setup.answers import look_for_exports, read_bucket

        given = self.options
        is_named = bool(provider and given.export_name and given.prefix is not None)
        if given.bucket is not None:
            bucket = read_bucket(given.bucket)
            if is_named:
                return bucket, None
            return bucket, look_for_exports(bucket, given.prefix or "", provider)
        if not self.may_ask:
            self._missing("bucket")
        unreadable = ""
        while True:
            again = (
                f" (the same again to continue without searching: {unreadable})"
                if unreadable
                else ""
            )
            bucket = self._ask_for("bucket", read_bucket, more=again)
            if is_named or bucket == unreadable:
                return bucket, None
            self.console.say(f"Looking for exports in {bucket} ...")
            try:
                return bucket, look_for_exports(bucket, given.prefix or "", provider)
            except CloudbillError as error:
                self.console.warn(f"  {error}")
                unreadable = bucket

    def _by_hand(self, provider: str | None, bucket: str) -> Answers:
        from cloudbill.setup.answers import Answers, read_provider

        given = self.options
        if provider is None:
            self._missing("provider")
        prefix, export_name = given.prefix, given.export_name
        if prefix is None:
            prefix = self._ask_for("prefix", _any)
        if export_name is None:
            if not self.may_ask:
                self._missing("export-name")
            export_name = self._ask_for("export_name", _some)
        return Answers(
            provider=read_provider(provider),
            bucket=bucket,
            prefix=prefix.strip().strip("/"),
            export_name=export_name.strip(),
            name=given.name,
            table_name=given.table_name,
        )

    def _of_found(self, bucket: str, export: FoundExport) -> Answers:
        from cloudbill.setup.answers import Answers

        return Answers(
            provider=export.provider.NAME,
            bucket=bucket,
            prefix=export.prefix,
            export_name=export.export_name,
            name=self.options.name,
            table_name=self.options.table_name,
        )

    def _say_found(self, export: FoundExport) -> None:
        from cloudbill.setup.answers import found_line

        self.console.say(f"Found {found_line(export)}")

    def _say_nothing_found(self, finding: Finding, bucket: str) -> None:
        rest = (
            ""
            if finding.is_whole
            else "; that was not the whole bucket, so give --prefix to say where to look"
        )
        self.console.warn(
            f"  No export was found in {bucket} ({finding.folders} folders were searched{rest})"
        )

    def _choose(self, exports: list[FoundExport], finding: Finding) -> FoundExport:
        from cloudbill.errors import ConfigError
        from cloudbill.setup.answers import found_line

        self.console.say(f"Found {len(exports)} exports:")
        for number, export in enumerate(exports, start=1):
            self.console.say(f"  {number}) {found_line(export)}")
        if not finding.is_whole:
            self.console.warn("  That is not the whole bucket; give --prefix to say where to look")

        def check(answer: str) -> str:
            if not (answer.isascii() and answer.isdecimal() and 1 <= int(answer) <= len(exports)):
                raise ConfigError(
                    f"'{answer}' is not one of them; type a number from 1 to {len(exports)}"
                )
            return answer

        return exports[int(self._ask("Which one", check, default="1")) - 1]

    def _warehouse(self, answers: Answers) -> Answers:
        """The warehouse: from the options, or by a question, or DuckDB."""
        from cloudbill.settings.names import read_dataset, read_project

        given = self.options
        project_id, dataset = given.project_id, given.dataset
        location, database = given.location, given.database
        if self.may_ask and project_id is None and database is None:
            kind = self._ask("The warehouse, duckdb or bigquery", _warehouse_kind, default="duckdb")
            if kind == "bigquery":
                project_id = self._ask_for("project_id", read_project)
                dataset = dataset or self._ask_for("dataset", read_dataset)
                location = location or self._ask_for(
                    "location", _any, more="; empty: where BigQuery does"
                )
            else:
                database = self._ask_for("database", _some)
        return replace(
            answers,
            scope=given.scope,
            project_id=project_id,
            dataset=dataset,
            location=location or None,
            database=database,
        )

    def _plan(self, file: Path, before: str, answers: Answers) -> tuple[Change, Answers]:
        """The change; if the section exists, under another name or with the section replaced."""
        from cloudbill.errors import ConfigError
        from cloudbill.settings.names import read_source_name
        from cloudbill.setup.answers import plan_change
        from cloudbill.setup.config_file import SectionThereError

        is_replacing = self.options.replace
        while True:
            try:
                return plan_change(file, before, answers, replace=is_replacing), answers
            except SectionThereError as error:
                if not self.may_ask:
                    raise ConfigError(
                        f"{error}. Give --replace to change it, or --name for a second export"
                    ) from error
                self.console.warn(f"  {error}")
            name = self._ask(
                "A name for a second export, or empty to change that section",
                lambda answer: read_source_name(answer) if answer else "",
                default="",
            )
            is_replacing = not name
            answers = replace(answers, name=name or answers.name)

    def _show(self, change: Change, answers: Answers) -> None:
        from cloudbill.setup.config_file import section_text

        self.console.say(f"\nFor {change.file}:\n")
        self.console.say(section_text(answers.section, change.values))
        gone = sorted(set(change.before.splitlines()) - set(change.after.splitlines()))
        for line in gone:
            self.console.say(f"# instead of: {line}")

    def _is_wanted(self, file: Path) -> bool:
        from cloudbill.errors import ConfigError

        def check(answer: str) -> str:
            if answer.lower() not in _YES | _NO:
                raise ConfigError("Type y or n")
            return answer.lower()

        return self._ask(f"Write it to {file}", check, default="y") in _YES

    def _say_what_is_next(self, source: str, answers: Answers) -> None:
        from cloudbill.store.address import parse_address
        from cloudbill.store.credentials import bigquery_advice, store_advice

        advice = store_advice(parse_address(answers.bucket).scheme, source)
        advice += bigquery_advice() if answers.project_id else ()
        for line in advice:
            self.console.say(line)
        self.console.say("Next: `cloudbill doctor`, then `cloudbill load`")

    def _ask_for(self, key: str, check: Callable[[str], str], *, more: str = "") -> str:
        """Asks for a key of the configuration; the enter key gives its default."""
        row = key_named(key)
        return self._ask(f"{row.title}{more}", check, default=row.default)

    def _ask(
        self, question: str, check: Callable[[str], str], *, default: str | None = None
    ) -> str:
        """Asks until the answer can be used, and says why an answer cannot."""
        from cloudbill.errors import ConfigError

        shown = f" [{default}]" if default else ""
        while True:
            answer = input(f"{question}{shown}: ").strip() or (default or "")
            try:
                return check(answer)
            except ConfigError as error:
                self.console.warn(f"  {error}")

    def _missing(self, option: str) -> NoReturn:
        from cloudbill.errors import ConfigError

        raise ConfigError(f"--{option} is missing, and there is no terminal to ask for it")


def _any(answer: str) -> str:
    return answer


def _some(answer: str) -> str:
    from cloudbill.errors import ConfigError

    if not answer:
        raise ConfigError("It cannot be empty")
    return answer


def _warehouse_kind(answer: str) -> str:
    from cloudbill.errors import ConfigError

    if answer.lower() not in {"duckdb", "bigquery"}:
        raise ConfigError(f"'{answer}' is neither duckdb nor bigquery")
    return answer.lower()
