"""What `plan` and `load --dry-run` do: they say what a load would do, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cloudbill.cli.console import Console, read_selection
from cloudbill.cli.each_source import attempt, each_source, require_one_source

if TYPE_CHECKING:
    from cloudbill.loading.events import Event
    from cloudbill.loading.outcome import Outcome
    from cloudbill.models import Pin
    from cloudbill.periods import BillingPeriod
    from cloudbill.planning import Selection
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["Asked", "require_months", "say_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    months: tuple[str, ...]
    run: str | None
    release: bool
    force: bool

    @property
    def option(self) -> str | None:
        """The option that decides which run a month stays with, if one does."""
        return "--run" if self.run is not None else "--release" if self.release else None

    def require_clear(self, source: str) -> None:
        """Refuses such an option unless it is clear which month of which source is meant.

        Raises:
            ConfigError: If it is not.
        """
        from cloudbill.errors import ConfigError

        if self.option is None:
            return
        if self.run is not None and self.release:
            raise ConfigError("Give --run or --release, not both")
        if len(set(self.months)) != 1:
            raise ConfigError(f"{self.option} is for one month; name it with --month YYYY-MM")
        require_one_source(source, self.option)

    def of_source(self, selection: Selection, settings: SourceSettings) -> Selection:
        """The selection, with the run that the month of this source is to stay with."""
        from cloudbill.accepting import choose_run

        if self.option is None:
            return selection
        (period,) = selection.periods
        pin = None if self.run is None else choose_run(settings, period, self.run)
        return replace(selection, pins={period: pin})


def say_plan(console: Console, source: str, asked: Asked, *, exact: bool = False) -> None:
    """Says what a load would do, source by source; ends the command."""
    from cloudbill.pipeline import plan_source

    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []
    heard: list[_Heard] = []

    def plan_all() -> None:
        selection = read_selection(asked.months, force=asked.force)
        asked.require_clear(source)
        with console.showing() as listener:

            def work(settings: SourceSettings) -> None:
                of_source = asked.of_source(selection, settings)
                heard.append(_Heard(source=settings.source, pins=of_source.pins))
                outcomes.append(plan_source(settings, of_source, heard[-1].events.append))

            each_source(source, work, failed=failures.append)
            _say_plans(console, listener, outcomes, heard)
        require_months(selection, outcomes, failures)

    attempt(None, plan_all, failures.append)
    if console.is_live:
        from cloudbill.cli.display import summary_lines

        for line in summary_lines(outcomes, width=console.width, exact=exact):
            console.say(line)
    console.finish(outcomes, failures, dry_run=True)


def require_months(
    selection: Selection, outcomes: Sequence[Outcome], failures: Sequence[SourceFailure]
) -> None:
    """Refuses months that no source knows, where all that they know was seen.

    Raises:
        ConfigError: If there is one.
    """
    from cloudbill.periods import utc_now
    from cloudbill.text.months import require_known

    if not failures and not any(outcome.is_unsure for outcome in outcomes):
        known = [period for outcome in outcomes for period in outcome.months]
        require_known(selection.periods, known, utc_now())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The events of planning a source, which are shown after the answer."""

    source: str
    pins: Mapping[BillingPeriod, Pin | None]
    events: list[Event] = field(default_factory=list)


def _say_plans(
    console: Console,
    listener: Callable[[str | None], Callable[[Event], None]],
    outcomes: Sequence[Outcome],
    heard: Sequence[_Heard],
) -> None:
    """Says what loads would do: first the answer for each source, then what it comes from."""
    from cloudbill.loading.plan_words import planned_lines, planned_months
    from cloudbill.loading.words import pin_lines

    plans = {outcome.settings.source: outcome for outcome in outcomes}
    for outcome in () if console.quiet else outcomes:
        console.say(planned_months(outcome))
    for one in heard:
        listen = listener(one.source)
        for event in one.events:
            listen(event)
        if one.source in plans and not console.quiet:
            outcome = plans[one.source]
            for line in (*planned_lines(outcome), *pin_lines(outcome, one.pins, dry_run=True)):
                console.say(line)
