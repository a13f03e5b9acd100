"""What follows a load, however it ended: metrics, and messages to the destinations of `notify`.

A load that is stopped is told like one that failed, unless somebody sits at the terminal: a
scheduler that ends every load at its time limit would keep the bill from ever being loaded.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from cloudbill.cli.each_source import attempt
from cloudbill.cli.signals import stopped_by_signals

if TYPE_CHECKING:
    from datetime import datetime

    from cloudbill.alerts.metrics import SourceMetrics
    from cloudbill.cli.console import Console
    from cloudbill.cli.telling import Facts, SourceFacts, Unread
    from cloudbill.loading.events import Drifted, Event
    from cloudbill.loading.outcome import Outcome
    from cloudbill.looking.status import SourceStatus
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["AfterLoad"]

_STOPPED: Final = 130
_LOCK_S: Final = 10.0
_RETRY_S: Final = 30.0


@dataclass(kw_only=True)
class AfterLoad:
    """What a load did, as it grows; `sources` is the argument of the command."""

    console: Console
    command: str
    sources: str
    metrics: Path | None = None
    is_all: bool = False
    """Whether it is of all sources that there are."""
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[SourceFailure] = field(default_factory=list)
    """What ended sources, or the reading of the configuration."""
    refused: list[SourceFailure] = field(default_factory=list)
    """What was wrong with the command line, which concerns whoever wrote it."""
    views: list[SourceFailure] = field(default_factory=list)
    """What kept views from being made."""
    are_views_kept: bool = False
    _drifted: dict[str, list[Drifted]] = field(default_factory=lambda: defaultdict(list))
    _begun: list[SourceSettings] = field(default_factory=list)
    _started_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.monotonic() - self._started_at

    @property
    def _failed(self) -> list[SourceFailure]:
        """What ended sources or the reading of the configuration, apart from a stop."""
        from cloudbill.loading.words import but_not_begun

        return but_not_begun(self.failures)

    @property
    def ended(self) -> list[SourceFailure]:
        """All that the command has to say of what failed."""
        return [*self.failures, *self.refused, *self.views]

    def hearing(
        self, settings: SourceSettings, listen: Callable[[Event], None]
    ) -> Callable[[Event], None]:
        """The listener of a source that is now loaded, which also remembers what events say."""
        from cloudbill.loading.events import Drifted

        self._begun.append(settings)

        def hear(event: Event) -> None:
            listen(event)
            if isinstance(event, Drifted):
                self._drifted[settings.source].append(event)

        return hear

    def refuse(self, failure: SourceFailure) -> None:
        """Remembers what ended the command; a mistake in its options is nobody else's matter."""
        from cloudbill.errors import ConfigError

        is_own = isinstance(failure.error, ConfigError)
        (self.refused if is_own else self.failures).append(failure)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Does what follows, once the block has ended the command; the exit code stays.

        Raises:
            typer.Exit: With the code of the command, or that of metrics that cannot be written.
        """
        from cloudbill.loading.stopping import Stop
        from cloudbill.text.exit_codes import highest_code

        try:
            yield
        except typer.Exit as ended:
            # All is done: what is to be told of it is told, unless somebody insists.
            stop = Stop()
            stop.heed()
            with stopped_by_signals(stop):
                code = self._end(ended.exit_code)
            raise typer.Exit(highest_code([ended.exit_code, code])) from None
        except KeyboardInterrupt:
            self._end(_STOPPED)
            raise
        except BrokenPipeError:
            self._end(1)
            raise

    def _end(self, code: int) -> int:
        """Gives the exit code of what follows, 0 if that went well."""
        from cloudbill.cli.telling import follow

        return follow(self.console, lambda: self._follow(code))

    def _follow(self, code: int) -> int:
        from cloudbill.cli.telling import notified_without_settings, tell

        is_stopped = code == _STOPPED
        is_own = is_stopped and sys.stdin is not None and sys.stdin.isatty()
        if is_own and self.metrics is None:
            return 0
        named = [one.source for one in self._failed if one.source is not None]
        broken: dict[str | None, Unread] = {}
        if self.failures or self.views or not self._begun:
            broken = notified_without_settings(self.console, named)
        is_notified = any(one.notify for one in self._begun) or any(
            one.notify for one in broken.values()
        )
        if not (is_notified or self.metrics):
            return 0
        looked = self._look(is_stopped=is_stopped)
        written = self._write_metrics(looked, code) if self.metrics else 0
        is_begun = bool(self.outcomes or self.failures or is_stopped)
        if is_notified and is_begun and not is_own:
            facts = self._facts(looked, broken, is_stopped=is_stopped)
            tell(self.console, facts, command=f"cloudbill {self.command}", exit_code=code)
        return written

    def _look(self, *, is_stopped: bool) -> dict[str, SourceStatus]:
        """The status of each source now, as far as somebody wants it and it can be read at once."""
        from cloudbill.looking.status_reading import read_recorded, read_status
        from cloudbill.periods import utc_now

        found: dict[str, SourceStatus] = {}

        def look(outcome: Outcome) -> None:
            settings, now = _impatient(outcome.settings), utc_now()
            if outcome.error is None and not is_stopped:
                found[settings.source] = read_status(settings, now=now, by_key=True)
            # Who stops a load may end the process soon, so then only a file is asked.
            elif self.metrics and not (is_stopped and settings.project_id):
                found[settings.source] = read_recorded(settings, now=now)

        for outcome in self.outcomes:
            if self.metrics or outcome.settings.notify:
                attempt(
                    outcome.settings.source,
                    lambda outcome=outcome: look(outcome),  # type: ignore[misc]
                    lambda failure: self.console.failed(failure.source, failure.error),
                )
        return found

    def _facts(
        self,
        looked: dict[str, SourceStatus],
        broken: dict[str | None, Unread],
        *,
        is_stopped: bool,
    ) -> Facts:
        from cloudbill.alerts.alert import Scope
        from cloudbill.alerts.judging import alerts_of_views, stopped_alert
        from cloudbill.cli.deployments import deployment_of_all
        from cloudbill.cli.telling import Facts, alerts_of_doubles, facts_of_failures

        sources = [self._of_source(one, looked, is_stopped=is_stopped) for one in self.outcomes]
        unread, general = facts_of_failures(self._failed, broken)
        sources += unread
        general += alerts_of_views(one.error for one in self.views)
        is_read = not (is_stopped or any(one.source is None for one in self.failures))
        is_all = self.is_all and is_read
        judged = {Scope.VIEWS} if self.are_views_kept else set[Scope]()
        judged |= {Scope.CONFIGURATION} if is_read else set()
        if is_all and all(one.is_judged for one in sources):
            statuses = [looked[one.source] for one in sources]
            general += alerts_of_doubles(statuses)
            judged.add(Scope.SAME_CHARGES)
        return Facts(
            sources=sources,
            deployment=deployment_of_all(),
            notify=(
                *(broken[None].notify if broken else ()),
                *(to for one in self._begun for to in one.notify),
            ),
            general=tuple(general),
            general_events=(stopped_alert(self.sources, _STOPPED),) if is_stopped else (),
            general_judged=frozenset(map(str, judged)),
            is_all=is_all,
        )

    def _of_source(
        self, outcome: Outcome, looked: dict[str, SourceStatus], *, is_stopped: bool
    ) -> SourceFacts:
        from cloudbill.alerts.judging import alerts_of_drift, alerts_of_load
        from cloudbill.alerts.moved import moved_months
        from cloudbill.cli.deployments import deployment_of
        from cloudbill.cli.telling import SourceFacts

        settings = outcome.settings
        status = looked.get(settings.source)
        is_judged = not is_stopped and outcome.error is None and _is_read(status)
        lasting, events = alerts_of_load(outcome, status if is_judged else None)
        return SourceFacts(
            source=settings.source,
            notify=settings.notify,
            deployment=deployment_of(settings),
            lasting=lasting,
            events=(
                *events,
                *alerts_of_drift(outcome, self._drifted[settings.source]),
                *(moved_months(outcome, _impatient(settings)) if settings.notify else ()),
            ),
            is_judged=is_judged,
        )

    def _write_metrics(self, looked: dict[str, SourceStatus], code: int) -> int:
        from cloudbill.cli.telling import earlier_successes, run_metrics, write_metrics
        from cloudbill.periods import utc_now

        file = self.metrics
        if file is None:
            return 0
        now, before = utc_now(), earlier_successes(file)
        run = run_metrics("load", self.sources, now=now, seconds=self.seconds, exit_code=code)
        return write_metrics(self.console, file, run, self._metrics_of(looked, before, now))

    def _metrics_of(
        self, looked: dict[str, SourceStatus], before: dict[str, datetime], now: datetime
    ) -> Iterator[SourceMetrics]:
        from cloudbill.alerts.judging import alerts_of_load
        from cloudbill.alerts.metrics import SourceMetrics, source_metrics
        from cloudbill.errors import StoppedError

        done = {outcome.settings.source: outcome for outcome in self.outcomes}
        for source, outcome in done.items():
            is_well = not (outcome.error or outcome.failures or outcome.manifest_failures)
            status = looked.get(source)
            is_read = status is not None and status.address is not None and _is_read(status)
            reasons = len(alerts_of_load(outcome, status if is_read else None)[0])
            yield source_metrics(
                source,
                status,
                # What was not looked at may have any number of them, but not none.
                reasons=reasons if is_read or outcome.error is not None else None,
                failed={
                    failure.planned.period
                    for failure in outcome.failures
                    if not isinstance(failure.error, StoppedError)
                },
                rows_loaded=sum(result.rows for result in outcome.results),
                succeeded_at=now if is_well else None,
                before=before.get(source),
            )
        named = {failure.source for failure in self.failures if failure.source}
        # Of sources that nothing is known of now, it is not forgotten when they last were well.
        for source in {*named, *(before if self._is_unread else ())} - done.keys():
            failed = sum(failure.source == source for failure in self._failed)
            yield SourceMetrics(
                source=source, succeeded_at=before.get(source), reasons=failed or None
            )

    @property
    def _is_unread(self) -> bool:
        """Whether there may be sources that the command never came to."""
        is_known = self.outcomes and all(one.source for one in self.failures)
        return not is_known or any(outcome.is_stopped for outcome in self.outcomes)


def _impatient(settings: SourceSettings) -> SourceSettings:
    """The same settings, for a look that nobody should have to wait for."""
    return replace(
        settings,
        lock_timeout_s=min(settings.lock_timeout_s, _LOCK_S),
        retry_for_s=min(settings.retry_for_s, _RETRY_S),
    )


def _is_read(status: SourceStatus | None) -> bool:
    return status is not None and status.error is None
