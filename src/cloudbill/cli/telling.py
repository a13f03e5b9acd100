"""What commands do once they have ended: tell the destinations of `notify`, and write metrics.

Nothing of that changes what a command did, nor the code that it ends with; only metrics that cannot
be written do, like any other output.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from errno import ENOENT
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cloudbill.cli.deployments import deployment_of_broken, deployment_of_folder, sender
from cloudbill.cli.each_source import attempt, kind_of_fault

if TYPE_CHECKING:
    from datetime import datetime

    from cloudbill.alerts.alert import Alert, Deployment
    from cloudbill.alerts.memory import Found
    from cloudbill.alerts.messages import Message
    from cloudbill.alerts.metrics import RunMetrics, SourceMetrics
    from cloudbill.alerts.sending import Answer
    from cloudbill.cli.console import Console
    from cloudbill.looking.status import SourceStatus
    from cloudbill.settings.destinations import Destination
    from cloudbill.text.failures import SourceFailure

__all__ = [
    "Facts",
    "MetricsFile",
    "SourceFacts",
    "Unread",
    "alerts_of_doubles",
    "earlier_successes",
    "facts_of_failures",
    "follow",
    "notified_without_settings",
    "run_metrics",
    "send_each",
    "tell",
    "write_metrics",
]

_LONGEST_S: Final = 45.0
_READABLE: Final = 0o444

MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        help="Write metrics for the textfile collector of Prometheus into this file (*.prom).",
        metavar="FILE",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a command found of a source, and who is told; `is_judged`: it is all that there is."""

    source: str
    notify: tuple[Destination, ...]
    deployment: Deployment
    lasting: tuple[Alert, ...] = ()
    events: tuple[Alert, ...] = ()
    is_judged: bool = False
    age_rule: str = ""
    """What said which age is too old; see `age_of`."""

    @property
    def judged(self) -> set[str]:
        """What is judged of it."""
        from cloudbill.alerts.alert import age_of

        return {self.source, age_of(self.source, self.age_rule)} if self.is_judged else set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Who is told of what has no settings, and where that is."""

    deployment: Deployment
    notify: tuple[Destination, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a command found; `general` and `general_events` are of no source.

    `notify` are told of those, with all that are told of any source. With `is_all` there are no
    other sources than these.
    """

    sources: Sequence[SourceFacts]
    deployment: Deployment
    notify: tuple[Destination, ...] = ()
    general: tuple[Alert, ...] = ()
    general_events: tuple[Alert, ...] = ()
    general_judged: frozenset[str] = field(default_factory=frozenset)
    is_all: bool = False

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Everybody who is told anything."""
        of_sources = (one for source in self.sources for one in source.notify)
        return tuple(dict.fromkeys((*of_sources, *self.notify)))

    def of(self, destination: Destination) -> Found:
        """What of it concerns one destination."""
        from cloudbill.alerts.alert import Scope
        from cloudbill.alerts.memory import Found

        own = [source for source in self.sources if destination in source.notify]
        lasting = [
            replace(alert, deployment=one.deployment) for one in own for alert in one.lasting
        ]
        events = [replace(alert, deployment=one.deployment) for one in own for alert in one.events]
        return Found(
            lasting=(
                *lasting,
                *(replace(alert, deployment=self.deployment) for alert in self.general),
            ),
            events=(
                *events,
                *(replace(alert, deployment=self.deployment) for alert in self.general_events),
            ),
            judged=self.general_judged.union(*(one.judged for one in own)),
            known=frozenset({*Scope, *(one.source for one in own)}) if self.is_all else None,
        )


def tell(console: Console, facts: Facts, *, command: str, exit_code: int) -> None:
    """Tells each destination what is new for it, and says on stderr who could not be told."""
    from cloudbill.alerts.memory import decide
    from cloudbill.alerts.messages import message_of
    from cloudbill.alerts.remembering import keep_memory, memory_file, read_memory
    from cloudbill.periods import utc_now

    now = utc_now()
    tellings = {
        one: decide(read_memory(memory_file(one)), facts.of(one), now) for one in facts.destinations
    }
    due = {one: telling for one, telling in tellings.items() if telling.is_due}
    messages = {
        one: message_of(telling, command=command, exit_code=exit_code, now=now, sender=sender())
        for one, telling in due.items()
    }
    for destination, (name, answer) in send_each(messages, facts.destinations).items():
        telling = due[destination]
        keep_memory(memory_file(destination), telling.told if answer.is_well else telling.untold)
        if not answer.is_well:
            console.warn(
                f"Not told {name}: {answer.words}. Nothing else is changed by that; `cloudbill "
                "notify` sends a test message, and the next run tells it again"
            )
        elif console.verbose:
            console.say(f"Told {name}: {answer.words}")


def send_each(
    messages: Mapping[Destination, Message], known: Sequence[Destination]
) -> dict[Destination, tuple[str, Answer]]:
    """Sends all messages at once; gives the name to show of each destination, and what came back.

    `known` are all destinations: two that look alike are told apart by their place among those.
    """
    from cloudbill.alerts.sending import Answer, send

    answers: dict[Destination, Answer] = {}

    def work(destination: Destination, message: Message) -> None:
        # What was not foreseen may have the address in it, so its text is shown to nobody.
        fault = kind_of_fault(lambda: answers.__setitem__(destination, send(destination, message)))
        if fault is not None:
            answers[destination] = Answer(is_well=False, words=f"failed ({fault})")

    # Not those of `concurrent.futures`, for which the process waits when it ends.
    threads = [
        threading.Thread(target=partial(work, *one), daemon=True) for one in messages.items()
    ]
    for thread in threads:
        thread.start()
    ends_at = time.monotonic() + _LONGEST_S
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    late = Answer(is_well=False, words=f"did not take it within {_LONGEST_S:.0f} s")
    names = _names(known)
    return {one: (names[one], answers.get(one, late)) for one in messages}


def _names(destinations: Sequence[Destination]) -> dict[Destination, str]:
    counted = Counter(one.title for one in destinations)
    return {
        one: one.title if counted[one.title] == 1 else f"{one.title} (destination {number})"
        for number, one in enumerate(destinations, 1)
    }


def notified_without_settings(
    console: Console, sources: Iterable[str | None]
) -> dict[str | None, Unread]:
    """Who is told of sources whose settings are broken, and under None of what is of no source.

    Where dlt cannot read one of its files, the others and the variables count, and it is said if
    the one that names them is lost.
    """
    from cloudbill.errors import CloudbillError
    from cloudbill.settings import destinations_of, dlt_providers
    from cloudbill.settings.files import readable_files

    broken: tuple[Path, ...] = ()
    try:
        providers = dlt_providers()
    except CloudbillError:
        readable = readable_files()
        providers, broken = readable.providers, readable.broken
    found = {
        source: Unread(
            notify=destinations_of(source, providers),
            deployment=deployment_of_broken(source, providers)
            if source
            else deployment_of_folder(),
        )
        for source in (None, *sources)
    }
    if not any(one.notify for one in found.values()):
        for file in filter(_may_notify, broken):
            console.warn(f"Nobody could be told: 'notify' is in {file}, which cannot be read")
    return found


def _may_notify(file: Path) -> bool:
    """Whether a file that is broken names somebody to tell, as far as anybody can know."""
    try:
        return b"notify" in file.read_bytes()
    except OSError:
        return True


def facts_of_failures(
    failures: Iterable[SourceFailure], notified: Mapping[str | None, Unread]
) -> tuple[list[SourceFacts], list[Alert]]:
    """What is told of sources that ended before they had a result, and what is of no source."""
    from cloudbill.alerts.judging import alert_of_failure

    sources: list[SourceFacts] = []
    general: list[Alert] = []
    for failure in failures:
        alert = alert_of_failure(failure)
        if failure.source is None:
            general.append(alert)
        else:
            unread = notified.get(failure.source) or Unread(deployment=deployment_of_folder())
            sources.append(
                SourceFacts(
                    source=failure.source,
                    notify=unread.notify,
                    deployment=unread.deployment,
                    lasting=(alert,),
                )
            )
    return sources, general


def alerts_of_doubles(statuses: Sequence[SourceStatus]) -> Iterator[Alert]:
    """The sources that deliver the same charges, in the words of `doctor`."""
    from cloudbill.alerts.alert import Alert, Kind, Scope
    from cloudbill.cli.views import together
    from cloudbill.doctor.double_deliveries import double_check, find_double_deliveries

    delivered = {one.settings.source: one.delivered for one in statuses if one.settings.in_focus}
    sources = together(one.settings for one in statuses)
    for double in find_double_deliveries(delivered):
        check = double_check(double, sources)
        if not check.is_well:
            yield Alert(
                kind=Kind.SAME_CHARGES,
                scope=Scope.SAME_CHARGES,
                exit_code=check.exit_code,
                message=f"{check.subject}: {check.found}. {check.remedy}",
                next="cloudbill doctor",
                detail=f"{double.sources} {double.scope}",
            )


def earlier_successes(file: Path) -> dict[str, datetime]:
    """When loads last ended well, as the file says that is now replaced."""
    from datetime import UTC, datetime

    from cloudbill.alerts.metrics import last_successes

    try:
        text = file.read_text("utf-8") if file.is_file() else ""
        return {
            source: datetime.fromtimestamp(at, UTC) for source, at in last_successes(text).items()
        }
    except (OSError, ValueError, OverflowError):
        return {}


def follow(console: Console, action: Callable[[], int]) -> int:
    """Does what follows a command; gives its exit code, 0 if that went well.

    A fault of it is said, and is none of the command.
    """
    codes: list[int] = []
    attempt(
        None,
        lambda: codes.append(action()),
        lambda failure: console.failed(None, failure.error),
    )
    return max(codes, default=0)


def run_metrics(
    command: str, sources: str, *, now: datetime, seconds: float, exit_code: int
) -> RunMetrics:
    """What is measured of a run that ends now, of the version that is installed."""
    from importlib.metadata import version

    from cloudbill.alerts.metrics import RunMetrics

    return RunMetrics(
        command=command,
        sources=sources,
        version=version("cloudbill"),
        ended_at=now,
        seconds=seconds,
        exit_code=exit_code,
    )


def write_metrics(
    console: Console, file: Path, run: RunMetrics, sources: Iterable[SourceMetrics]
) -> int:
    """Writes the file in one step, readable for the collector; gives the exit code, 0 if well."""
    from cloudbill.alerts.metrics import metrics_text
    from cloudbill.disk.exchanging import write_in_one_step
    from cloudbill.disk.room import not_written
    from cloudbill.errors import ConfigError

    content = metrics_text(run, sources).encode()
    try:
        if not file.parent.exists():  # one that is made now is one that no collector reads
            raise FileNotFoundError(ENOENT, f"there is no folder {file.parent}")
        write_in_one_step(file, content, least_mode=_READABLE)
    except OSError as error:
        remedy = "say where else with --metrics"
        reason = not_written(error, file, needed=len(content), remedy=remedy)
        wrong = ConfigError(f"The metrics cannot be written to {file}: {reason}")
        console.failed(None, wrong)
        return wrong.exit_code
    return 0
