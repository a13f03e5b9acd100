"""What `load` shows on a terminal: a line for each month in progress, and a table at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudbill.costs.amounts import costs_of, shown_amount
from cloudbill.errors import StoppedError
from cloudbill.loading.events import Discovered, Event, LoadFinished, LoadStarted, Progressed
from cloudbill.loading.words import lines, note_lines
from cloudbill.manifests import ManifestFailure
from cloudbill.models import LoadFailure, LoadResult, PlannedLoad, Skip, SkipReason
from cloudbill.progress import Progress, Stage
from cloudbill.text.counts import counted
from cloudbill.text.table import Head, TableRow, printable, short_ids, table_lines

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from cloudbill.loading.outcome import Outcome

__all__ = ["Display", "summary_lines"]

_QUIET_SKIPS = frozenset(
    {
        SkipReason.ALREADY_LOADED,
        SkipReason.SUPERSEDED,
        SkipReason.OLDER_THAN_LOADED,
        SkipReason.NOT_SELECTED,
    }
)


class Display:
    """The lines of the months in progress, at the bottom of the terminal.

    Other output appears above them.
    """

    def __init__(self, say: Callable[[str], None], warn: Callable[[str], None]) -> None:
        self._say = say
        self._warn = warn
        self._bars: Bars = _bars()
        self._looking: TaskID | None = None
        self._source: str | None = None
        self._tasks: dict[tuple[str, str, str], TaskID] = {}
        self._passed: Counter[SkipReason] = Counter()

    def listener(self, source: str | None) -> Callable[[Event], None]:
        """Starts to show a source, and returns its listener."""
        self._found()
        self._source = source
        self._looking = self._bars.add_task(
            printable(source or ""), total=None, stage="looking", told=""
        )
        return self.listen

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the lines while the block runs."""
        with self._bars:
            yield

    def listen(self, event: Event) -> None:
        """Updates the lines, and prints what deserves a line that stays."""
        self._found()
        match event:
            case Progressed():
                self._advance(event.planned, event.progress)
            case LoadStarted():
                self._add(event.planned)
            case Skip() if event.reason in _QUIET_SKIPS or event.is_alike:
                self._pass_over(event)
            case LoadFinished():
                self._remove(event.result.planned)
                self._finish(event.result)
            case LoadFailure():
                self._remove(event.planned)
                # Stopped months are listed once everything has ended.
                if not isinstance(event.error, StoppedError):
                    self._warn("\n".join(lines(event)))
            case ManifestFailure():
                self._warn("\n".join(lines(event, self._source)))
            case Discovered() if event.manifests:
                name = printable(event.settings.source)
                self._say(
                    f"{name}: {counted(event.manifests, 'manifest')} in {printable(event.address)}"
                )
            case _:
                self._say("\n".join(lines(event)))

    def _found(self) -> None:
        if self._looking is not None:
            self._bars.remove_task(self._looking)
            self._looking = None

    def passed_line(self) -> str | None:
        """Prints how many runs were skipped for ordinary reasons, and forgets them."""
        told = [
            f"{count} {str(reason).replace('_', ' ')}"
            for reason, count in sorted(self._passed.items())
        ]
        self._passed.clear()
        return f"Passed over: {', '.join(told)} (-v lists them)" if told else None

    def _pass_over(self, skip: Skip) -> None:
        if not skip.is_alike:  # the line of the newest held run counts the others
            self._passed[skip.reason] += 1

    def _finish(self, result: LoadResult) -> None:
        self._say(_finished_line(result))
        for line in note_lines(result):
            self._warn(printable(line))

    def _key(self, planned: PlannedLoad) -> tuple[str, str, str]:
        # A run over several months is loaded into each of them.
        return planned.table, str(planned.period), planned.manifest.run_id

    def _add(self, planned: PlannedLoad) -> None:
        self._tasks[self._key(planned)] = self._bars.add_task(
            str(planned.period), total=None, stage=str(Stage.STARTING), told=""
        )

    def _remove(self, planned: PlannedLoad) -> None:
        task = self._tasks.pop(self._key(planned), None)
        if task is not None:
            self._bars.remove_task(task)

    def _advance(self, planned: PlannedLoad, progress: Progress) -> None:
        task = self._tasks.get(self._key(planned))
        if task is None:
            return
        stage = str(progress.stage)
        shown = next((bar for bar in self._bars.tasks if bar.id == task), None)
        total = progress.total if progress.done is not None else None
        if shown is not None and shown.fields["stage"] != stage:
            # Speed and remaining time are those of the current stage.
            self._bars.reset(task, total=total)
        self._bars.update(
            task,
            total=total,
            completed=progress.done or 0,
            stage=stage,
            told=_told(progress),
        )


def _bars() -> Bars:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Known(ProgressColumn):
        """A column that is empty while the amount of work is unknown."""

        max_refresh = 0.5

        def __init__(self, column: ProgressColumn) -> None:
            super().__init__()
            self._column = column

        def render(self, task: Any) -> Any:
            return self._column(task) if task.total and task.speed else Text("")

    return Bars(
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[stage]:<9}", markup=False),
        BarColumn(bar_width=16),
        Known(DownloadColumn()),
        Known(TransferSpeedColumn()),
        Known(TimeRemainingColumn(compact=True)),
        TextColumn("{task.fields[told]}", markup=False),
        transient=True,
        # Output to a file still goes to the file; only terminal output is moved above the lines.
        redirect_stderr=sys.stderr.isatty(),
    )


def _told(progress: Progress) -> str:
    """What is known besides bytes: parts, rows, and the state of a job."""
    told = []
    if progress.parts is not None:
        done = "" if progress.part is None else f"{progress.part}/"
        told.append(f"{done}{counted(progress.parts, 'part')}")
    if progress.rows is not None:
        told.append(counted(progress.rows, "row", ","))
    if progress.state is not None:
        told.append(progress.state)
    return ", ".join(told)


def _finished_line(result: LoadResult) -> str:
    return (
        f"{result.planned.period} loaded into {printable(result.planned.table)}: "
        f"{counted(result.rows, 'row', ',')} in {_seconds(result.seconds)}"
    )


def summary_lines(outcomes: Sequence[Outcome], *, width: int, exact: bool = False) -> Iterator[str]:
    """A table of the loaded months, with the cost of each by currency; never summed."""
    results = [(one.settings, result) for one in outcomes for result in one.results]
    if not results:
        return
    ids = short_ids(result.planned.manifest.run_id for _, result in results)
    rows = []
    for settings, result in results:
        costs = costs_of(result.to_record(), settings.provider.BILLED_COLUMN)
        rows.append(
            TableRow(
                cells=(
                    printable(settings.source),
                    str(result.planned.period),
                    printable(ids[result.planned.manifest.run_id]),
                    f"{result.rows:,}",
                    _seconds(result.seconds),
                ),
                amounts=tuple(
                    (shown_amount(cost, exact=exact), printable(currency))
                    for currency, cost in (costs or {}).items()
                )
                or (("not summed" if costs is None else "", ""),),
            )
        )
    heads = [Head(title="source"), Head(title="month"), Head(title="run")]
    heads += [Head(title="rows", is_number=True), Head(title="time", is_number=True)]
    amounts = [Head(title="billed cost", is_number=True), Head(title="")]
    yield from table_lines(heads, amounts, rows, width=width)


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
