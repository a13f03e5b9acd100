"""Looks for exports in a bucket, and lets somebody choose among them, or name one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudbill.cli.questions import Questions, read_any, read_numbers, read_some
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.setup.answers import Answers
    from cloudbill.setup.export_search import Finding, FoundExport

__all__ = ["Choice", "Wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the options say of the exports; None for what they leave open."""

    provider: str | None
    bucket: str | None
    prefix: str | None
    export_name: str | None
    takes_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Gets the exports from the options, from the store, or by a question."""

    questions: Questions
    wanted: Wanted

    def exports(self) -> tuple[Answers, ...]:
        """One export or several, without a warehouse.

        Raises:
            ConfigError: If the options leave something open that nobody can be asked for.
            StoreError: If the store cannot be searched.
        """
        from cloudbill.setup.answers import read_bucket
        from cloudbill.setup.offers import no_choice_error

        given = self.wanted
        bucket, finding = self._look()
        if finding is None:
            # There is nothing to search, or no way to search: the user names the export.
            return (self._by_hand(read_bucket(bucket)),)
        exports = [
            export for export in finding.exports if given.export_name in {None, export.export_name}
        ]
        if not exports and self.questions.may_ask:
            self._say_nothing_found(finding, bucket)
            return (replace(self._by_hand(bucket), is_read=True),)
        if not exports or (len(exports) > 1 and not (given.takes_all or self.questions.may_ask)):
            matching = replace(finding, exports=tuple(exports))
            raise no_choice_error(matching, bucket, given.prefix or "")
        if len(exports) > 1 and not given.takes_all:
            exports = self._choose(exports, finding)
        else:
            self._say_found(exports, finding)
        return tuple(_answers_of(bucket, export) for export in exports)

    def _look(self) -> tuple[str, Finding | None]:
        """The bucket, and the exports in it unless the options name one."""
        from cloudbill.errors import CloudbillError
        from cloudbill.setup.answers import look_for_exports, read_bucket

        given = self.wanted
        is_named = bool(given.provider and given.export_name and given.prefix is not None)
        if given.bucket is not None:
            bucket = read_bucket(given.bucket)
            if is_named:
                return bucket, None
            return bucket, look_for_exports(bucket, given.prefix or "", given.provider)
        if not self.questions.may_ask:
            self.questions.missing("bucket")
        unreadable = ""
        while True:
            again = (
                f" (the same again to continue without searching: {unreadable})"
                if unreadable
                else ""
            )
            bucket = self.questions.ask_for("bucket", read_bucket, more=again)
            if is_named or bucket == unreadable:
                return bucket, None
            self.questions.console.say(f"Looking for exports in {bucket} ...")
            try:
                return bucket, look_for_exports(bucket, given.prefix or "", given.provider)
            except CloudbillError as error:
                self.questions.console.warn(f"  {error}")
                unreadable = bucket

    def _by_hand(self, bucket: str) -> Answers:
        from cloudbill.setup.answers import Answers, read_provider

        given, questions = self.wanted, self.questions
        provider, prefix, export_name = given.provider, given.prefix, given.export_name
        if provider is None:
            if not questions.may_ask:
                questions.missing("provider")
            question = "What is exported: azure, aws (Cost and Usage Report), or aws_focus"
            provider = questions.ask(question, read_provider, default="azure")
        if prefix is None:
            if not questions.may_ask:
                questions.missing("prefix")
            prefix = questions.ask_for("prefix", read_any)
        if export_name is None:
            if not questions.may_ask:
                questions.missing("export-name")
            export_name = questions.ask_for("export_name", read_some)
        return Answers(
            provider=read_provider(provider),
            bucket=bucket,
            prefix=prefix.strip().strip("/"),
            export_name=export_name.strip(),
        )

    def _say_found(self, exports: Sequence[FoundExport], finding: Finding) -> None:
        from cloudbill.setup.offers import found_line

        for export in exports:
            self.questions.console.say(f"Found {found_line(export)}")
        self._say_more(exports, finding)

    def _say_nothing_found(self, finding: Finding, bucket: str) -> None:
        rest = (
            ""
            if finding.is_whole
            else "; that was not the whole bucket, so give --prefix to say where to look"
        )
        searched = counted(finding.folders, "folder was", plural="folders were")
        self.questions.console.warn(
            f"  No export was found in {bucket} ({searched} searched{rest})"
        )
        self._say_more((), finding)

    def _say_more(self, exports: Sequence[FoundExport], finding: Finding) -> None:
        """Says what cannot be loaded, and which exports must not be added up."""
        from cloudbill.setup.offers import double_lines, not_loaded_line

        for one in finding.others:
            self.questions.console.warn(f"  {not_loaded_line(one)}")
        for line in double_lines(exports):
            self.questions.console.warn(f"  {line}")

    def _choose(self, exports: Sequence[FoundExport], finding: Finding) -> list[FoundExport]:
        from cloudbill.setup.offers import found_line

        console, most = self.questions.console, len(exports)
        console.say(f"Found {most} exports:")
        for number, export in enumerate(exports, start=1):
            console.say(f"  {number}) {found_line(export)}")
        self._say_more(exports, finding)
        if not finding.is_whole:
            console.warn("  That is not the whole bucket; give --prefix to say where to look")

        def check(answer: str) -> str:
            read_numbers(answer, most)
            return answer

        answer = self.questions.ask("Which ones, such as 1,2, or all", check, default="all")
        return [exports[number - 1] for number in read_numbers(answer, most)]


def _answers_of(bucket: str, export: FoundExport) -> Answers:
    from cloudbill.setup.answers import Answers

    return Answers(
        provider=export.provider.NAME,
        bucket=bucket,
        prefix=export.prefix,
        export_name=export.export_name,
        is_read=True,
    )
