"""What follows `status`: metrics, and with `--check` messages to the destinations of `notify`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from cloudbill.alerts.metrics import SourceMetrics
    from cloudbill.cli.console import Console
    from cloudbill.cli.telling import Facts, Unread
    from cloudbill.errors import CloudbillError
    from cloudbill.looking.status import SourceStatus
    from cloudbill.text.failures import SourceFailure

__all__ = ["AfterStatus"]


@dataclass(kw_only=True)
class AfterStatus:
    """What `status` found, as it grows; `sources` is its argument."""

    console: Console
    sources: str
    check: bool
    metrics: Path | None
    found: list[SourceStatus] = field(default_factory=list)
    failures: list[SourceFailure] = field(default_factory=list)
    """What ended sources, or the reading of the configuration."""
    refused: list[SourceFailure] = field(default_factory=list)
    """What was wrong with the command line, which concerns whoever wrote it."""
    views: list[SourceFailure] = field(default_factory=list)
    """What kept views from being looked at."""
    stale_views: Sequence[CloudbillError] = ()
    _started_at: float = field(default_factory=time.monotonic)

    @property
    def ended(self) -> list[SourceFailure]:
        """All that the command has to say of what failed."""
        return [*self.failures, *self.refused, *self.views]

    def end(self, code: int) -> NoReturn:
        """Ends the command, with its own code or that of metrics that cannot be written."""
        from cloudbill.cli.telling import follow
        from cloudbill.text.exit_codes import highest_code

        followed = follow(self.console, lambda: self._follow(code))
        raise typer.Exit(highest_code([code, followed]))

    def _follow(self, code: int) -> int:
        from cloudbill.cli.telling import notified_without_settings, tell

        written = self._write_metrics(code) if self.metrics else 0
        broken: dict[str | None, Unread] = {}
        if self.check and self.failures:
            sources = [one.source for one in self.failures]
            broken = notified_without_settings(self.console, sources)
        is_notified = any(one.settings.notify for one in self.found) or any(
            one.notify for one in broken.values()
        )
        if self.check and is_notified:
            command = f"cloudbill status {self.sources} --check"
            tell(self.console, self._facts(broken), command=command, exit_code=code)
        return written

    def _facts(self, broken: dict[str | None, Unread]) -> Facts:
        from cloudbill.alerts.alert import Scope
        from cloudbill.alerts.judging import age_rule, alerts_of_status, alerts_of_views
        from cloudbill.cli.deployments import deployment_of, deployment_of_all
        from cloudbill.cli.telling import Facts, SourceFacts, alerts_of_doubles, facts_of_failures

        sources = [
            SourceFacts(
                source=one.settings.source,
                notify=one.settings.notify,
                deployment=deployment_of(one.settings),
                lasting=alerts_of_status(one),
                is_judged=one.error is None,
                age_rule=age_rule(one),
            )
            for one in self.found
        ]
        errors = [*self.stale_views, *(one.error for one in self.views)]
        unread, general = facts_of_failures(self.failures, broken)
        sources += unread
        general += alerts_of_views(errors)
        is_read = not any(one.source is None for one in self.failures)
        is_all = self.sources == "all" and is_read and not self.refused
        judged = {Scope.CONFIGURATION} if is_read else set[Scope]()
        if is_all and all(one.is_judged for one in sources):
            general += alerts_of_doubles(self.found)
            judged |= {Scope.SAME_CHARGES, Scope.VIEWS}
        return Facts(
            sources=sources,
            deployment=deployment_of_all(),
            notify=broken[None].notify if broken else (),
            general=tuple(general),
            general_judged=frozenset(map(str, judged)),
            is_all=is_all,
        )

    def _write_metrics(self, code: int) -> int:
        from cloudbill.cli.telling import run_metrics, write_metrics
        from cloudbill.periods import utc_now

        if self.metrics is None:
            return 0
        seconds = time.monotonic() - self._started_at
        run = run_metrics("status", self.sources, now=utc_now(), seconds=seconds, exit_code=code)
        return write_metrics(self.console, self.metrics, run, self._metrics())

    def _metrics(self) -> Iterator[SourceMetrics]:
        from cloudbill.alerts.judging import alerts_of_status
        from cloudbill.alerts.metrics import source_metrics
        from cloudbill.cli.telling import earlier_successes

        before = earlier_successes(self.metrics) if self.metrics else {}
        for one in self.found:
            source = one.settings.source
            by_key = replace(one, max_age=one.settings.max_age, is_by_key=True)
            judged = by_key if one.max_age is None else one
            yield source_metrics(
                source, one, reasons=len(alerts_of_status(judged)), before=before.get(source)
            )
        for failure in self.failures:
            if failure.source is not None:
                at = before.get(failure.source)
                yield source_metrics(failure.source, None, reasons=1, before=at)
