"""Documents of every kind that between them have every key, made by the code that prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from cloudbill.alerts.alert import Alert, Change, Deployment, Kind
from cloudbill.alerts.memory import Found, Memory, decide
from cloudbill.alerts.messages import Sender, message_of, test_message
from cloudbill.doctor.check import Check
from cloudbill.doctor.smoke import SmokeTest
from cloudbill.doctor.smoke_place import Place
from cloudbill.doctor.smoke_point import Finding, Point, Seen
from cloudbill.doctor.smoke_words import smoke_json
from cloudbill.doctor.words import checks_json
from cloudbill.errors import ConfigError, Guard, HeldError, LoadError
from cloudbill.focus.counting import LeftOut
from cloudbill.focus.keeping import FocusPlan, KnownSource
from cloudbill.loading.events import (
    Discovered,
    Drifted,
    Event,
    LoadFinished,
    LoadStarted,
    NewlyHeld,
    OddRows,
    UnrecordedRows,
)
from cloudbill.loading.failures import PastFailure
from cloudbill.loading.log_lines import (
    error_log_line,
    event_log_line,
    finished_log_line,
    text_log_line,
)
from cloudbill.loading.outcome import Outcome, counts_of
from cloudbill.loading.words import outcomes_json
from cloudbill.looking.answer_words import json_pieces
from cloudbill.looking.comparison import Difference, MonthReport, RecordDifference, Verdict
from cloudbill.looking.export_sums import Bill, MonthSums
from cloudbill.looking.export_words import export_json
from cloudbill.looking.exporting import ExportedMonth
from cloudbill.looking.focus_words import plans_json
from cloudbill.looking.load_history import SourceHistory, history_of
from cloudbill.looking.load_history_words import history_json
from cloudbill.looking.replacement import Month, Replacement, replacement_json
from cloudbill.looking.status import MonthStatus, Pending, PendingRun, SourceStatus
from cloudbill.looking.status_words import status_json
from cloudbill.looking.verification import Verified
from cloudbill.looking.verification_words import verification_json
from cloudbill.looking.view_comparison import judge
from cloudbill.looking.view_words import view_json
from cloudbill.models import LoadFailure, LoadRecord, LoadResult, Pin, Reason, Skip, SkipReason
from cloudbill.planning.doubles import Double
from cloudbill.settings.origins import Origin, ShownKey, ShownSource, shown_json
from cloudbill.text.failures import SourceFailure
from cloudbill.warehouses.asking import Answer, AnswerColumn
from unit.builders import OCTOBER, SEPTEMBER, at, manifest, result, to_load
from unit.loading.test_words import PLANNED, SETTINGS, UNREAD

NOW: Final = at(22, 10)
SENDER: Final = Sender(host="host", folder="/srv/bills")
COSTS: Final = {"EUR": {"BilledCost": Decimal("-1.10")}}
SOURCE: Final = SETTINGS.source
HELD: Final = Skip(
    manifest=manifest("run"), reason=SkipReason.HELD, detail="held: why", guard=Guard.SLICE
)
NO_SOURCE: Final = SourceFailure(source=None, error=ConfigError("no source"))
REASON: Final = Reason(error=HeldError("held"), period=OCTOBER, run_id="run")
RECORD: Final = LoadRecord(
    period=OCTOBER,
    run_id="run",
    submitted_at=at(20),
    loaded_at=at(21),
    rows=7,
    parts=1,
    totals={**COSTS, "": {"BilledCost": Decimal(1)}},
    rests=COSTS,
)
OLD: Final = LoadRecord(period=SEPTEMBER, run_id="old")
"""As an older tool recorded it."""
RECORDED: Final = RecordDifference(
    currency=None, column="rows", ledger=Decimal(8), warehouse=Decimal(7)
)


def noted() -> LoadResult:
    """A month of which there is everything to say."""
    whole = result(manifest("run"), rows=0, totals=RECORD.totals)
    return replace(whole, rests=COSTS, alarm="rows", untotalled="why", job_id="job")


def loads() -> Iterator[str]:
    """Nothing loaded, and a load of which everything is told."""
    yield outcomes_json([])
    yield outcomes_json([], [NO_SOURCE])
    failure = LoadFailure(planned=PLANNED, error=LoadError("it broke"))
    yield outcomes_json(
        [
            Outcome(
                settings=SETTINGS,
                results=(noted(), result(manifest("plain"))),
                skips=(HELD, replace(HELD, reason=SkipReason.GONE, guard=None)),
                failures=(failure,),
                manifest_failures=(UNREAD,),
                reasons=(REASON,),
                error=LoadError("ended"),
            )
        ]
    )


def acceptances() -> Iterator[str]:
    """No held run, one of a month with nothing, and runs of which all or nothing is known."""
    yield outcomes_json([], [NO_SOURCE], more={"accepting": []})
    known = Month(
        run_id="run", rows=7, days=frozenset({date(2025, 10, 3)}), costs={"EUR": Decimal(2)}
    )
    unknown = Month(run_id="newer", rows=None, days=None, costs=None)
    first = Replacement(source=SOURCE, period=OCTOBER, before=None, after=known)
    moved = replace(first, before=replace(known, costs={"EUR": Decimal("1.5")}))
    held = replace(first, before=known, after=unknown, guard=Guard.DAYS, why="w", unread="large")
    compared = [replacement_json(one) for one in (first, moved, held)]
    yield outcomes_json([], more={"accepting": compared})


def plans() -> Iterator[str]:
    """A plan of a run whose manifest counts its rows, and of one whose does not."""
    planned = (PLANNED, to_load(manifest("uncounted")))
    yield outcomes_json(
        [Outcome(settings=SETTINGS, planned=planned, skips=(HELD,))], [NO_SOURCE], dry_run=True
    )


def statuses() -> Iterator[str]:
    """Sources that are empty, stale and in every state, with views."""
    yield status_json([])
    empty = SourceStatus(settings=SETTINGS, looked_at=NOW, error=LoadError("no file"))
    failure = PastFailure(at=at(21), period=OCTOBER, run_id="run", error="LoadError", message="m")
    run = PendingRun(
        pending=Pending.HELD,
        run_id="newer",
        submitted_at=at(22),
        parts=3,
        parts_missing=1,
        rows=None,
        detail="held: why",
        guard=Guard.ROWS,
    )
    total = RecordDifference(
        currency="EUR", column="BilledCost", ledger=Decimal(1), warehouse=Decimal(2)
    )
    months = (
        MonthStatus(
            period=OCTOBER,
            record=RECORD,
            costs={"EUR": Decimal("-1.10")},
            table_rows=6,
            drifted=Drifted(
                record=RECORD,
                rows_in_table=6,
                differences=(total, RECORDED),
                inexact={"Cost": "DOUBLE"},
            ),
            pending=(run, *(replace(run, pending=one, guard=None, detail=None) for one in Pending)),
            failure=failure,
            uncovered=(date(2025, 10, 3),),
            pin=Pin(run_id="run", digest="", newest="newer", submitted_at=at(20)),
        ),
        MonthStatus(period=SEPTEMBER, record=OLD),
        MonthStatus(period=SEPTEMBER),
    )
    full = SourceStatus(
        settings=SETTINGS,
        looked_at=NOW,
        max_age=timedelta(hours=1),
        is_loaded_known=True,
        rows_of_no_month=2,
        months=months,
        newest_delivery_at=at(22),
        failure=replace(failure, period=None, run_id=None),
    )
    double = Double(sources=(SOURCE, "b"), scope="s", periods=(OCTOBER,), is_odd=True)
    yield status_json([empty, full], [NO_SOURCE], [double], [views()])


def views() -> FocusPlan:
    """Views over a source that counts and one that is left out."""
    known = KnownSource(settings=SETTINGS, is_configured=True, loaded={})
    other = replace(known, settings=replace(SETTINGS, source="b", table_name="b"))
    left = LeftOut(key=other.key, period=OCTOBER, counts=known.key)
    return FocusPlan(
        dataset="billing",
        sources=(known, other),
        left_out=(left,),
        excluded=frozenset({"c"}),
        fingerprint="f",
        foreign=("focus_faults",),
    )


def histories() -> Iterator[str]:
    """Nothing, and a month that closed and changed."""
    yield history_json([])
    late = replace(RECORD, submitted_at=at(20).replace(month=11))
    again = replace(late, run_id="again", totals={"EUR": {"BilledCost": Decimal(3)}})
    months = history_of([OLD, RECORD, late, again], "BilledCost")
    ended = SourceHistory(settings=SETTINGS, months=months, error=LoadError("ended"))
    yield history_json([ended], [NO_SOURCE])


def verifications() -> Iterator[str]:
    """Nothing, and months of each verdict."""
    yield verification_json([])
    month = MonthReport(source=SOURCE, period=OCTOBER, run_id=None, verdict=Verdict.NOT_CHECKABLE)
    different = replace(
        month,
        run_id="run",
        verdict=Verdict.DIFFERENT,
        files_rows=7,
        warehouse_rows=7,
        ledger_rows=8,
        differences=(
            Difference(
                currency="EUR", day=None, column="Cost", files=Decimal(1), warehouse=Decimal("2.5")
            ),
        ),
        record_differences=(RECORDED,),
        rests=COSTS,
        reason="why",
    )
    found = Verified(settings=SETTINGS, months=(month, different), rows_of_no_month=1)
    yield verification_json([found], [NO_SOURCE])


def views_verified() -> Iterator[str]:
    """Nothing, and months of the view that are equal, different, left out and not to be checked."""
    yield view_json([])
    one, other = ({("EUR", "BilledCost"): Decimal(cost)} for cost in ("1.5", "2"))
    months = [
        judge(SOURCE, OCTOBER, tables=one, view=one),
        judge(SOURCE, OCTOBER, tables=one, view=other),
        judge(SOURCE, OCTOBER, tables=one, view={}, counts="b"),
        judge(SOURCE, OCTOBER, tables=one, view=one, lacking=["Cost"]),
    ]
    yield view_json(months, [NO_SOURCE])


def checks() -> Iterator[str]:
    """A check of each result."""
    good = Check(subject="store", found="it can be read")
    kinds = (
        replace(good, remedy="do"),
        replace(good, is_note=True),
        replace(good, is_checked=False),
    )
    yield checks_json([good, *kinds], [NO_SOURCE])


def focus_plans() -> Iterator[str]:
    """No dataset, and one."""
    yield plans_json([])
    yield plans_json([views()])


def smoke_tests() -> Iterator[str]:
    """A test with a point of each verdict."""
    place = Place(project="p", bucket="b", location="EU", suffix="0" * 10)
    test = SmokeTest(place=place, attempt=lambda *_: None, months_reported=lambda _: 0, keep=True)
    point = Point(number=1, title="t", expected="e", run=lambda _: iter(()))
    tries = [(Seen(text="s", is_expected=said),) for said in (True, False, None)]
    test.findings += [Finding(point=point, seen=seen, seconds=0.5) for seen in tries]
    test.findings.append(Finding(point=point, seen=(), seconds=1, error=LoadError("it broke")))
    test.left.append("dataset")
    yield smoke_json(test, [ConfigError("no")], began_at=NOW, seconds=2, exit_code=1)


def log() -> Iterator[str]:
    """A line of every event."""
    record = RecordDifference(
        currency="EUR", column="Cost", ledger=Decimal(1), warehouse=Decimal(2)
    )
    events: tuple[Event, ...] = (
        Discovered(settings=SETTINGS, manifests=0, address="gs://b/x"),
        Drifted(
            record=OLD, rows_in_table=1, differences=(record, RECORDED), inexact={"Cost": "DOUBLE"}
        ),
        OddRows(settings=SETTINGS, rows=2),
        UnrecordedRows(settings=SETTINGS, period=OCTOBER, rows=2, is_replaced=True),
        NewlyHeld(settings=SETTINGS, skips=(HELD,)),
        HELD,
        LoadStarted(planned=PLANNED, store_title="GCS"),
        LoadFinished(result=noted()),
        LoadFinished(result=result()),
        LoadFailure(planned=PLANNED, error=LoadError("it broke")),
        UNREAD,
    )
    for event in events:
        yield event_log_line(event, SOURCE, NOW) or ""
    yield error_log_line(None, ConfigError("no source"), NOW)
    yield text_log_line("warning", "again", NOW, logger="cloudbill")
    yield finished_log_line(counts_of([]), seconds=1.5, exit_code=6, now=NOW)


def configurations() -> Iterator[str]:
    """Nothing, and a source with a key that is set, one that is wrong, and one that is missing."""
    yield shown_json([])
    key = ShownKey(name="bucket", value="b", origin=Origin.FILE, where="config.toml")
    keys = (
        key,
        replace(key, origin=Origin.ENVIRONMENT, fault="is wrong"),
        replace(key, origin=Origin.MISSING, value=None, where=""),
    )
    yield shown_json([ShownSource(source=SOURCE, keys=keys, fault="why")], [NO_SOURCE])


def exports() -> Iterator[str]:
    """Nothing, and a month whose cost is exact and one whose is not."""
    yield export_json([], {}, [], [])
    file = Path("export/bill.csv")
    bill = Bill(settings=SETTINGS, name="bill", month="m", currency="c", billed="b", is_view=False)
    months = [
        ExportedMonth(bill=bill, period=OCTOBER, sums=MonthSums(rows=1, billed=billed), file=file)
        for billed in ({"EUR": Decimal("1.50")}, None)
    ]
    yield export_json(months, {file: 7}, [Path("old")], [NO_SOURCE])


def answers() -> Iterator[str]:
    """No rows, and rows of values that JSON has not."""
    columns = (AnswerColumn(name="cost", type="DECIMAL(38,18)", is_number=True),)
    for rows in ([], [(Decimal("1.50"),), (date(2025, 10, 3),), (None,)]):
        answer = Answer(columns=columns, batches=iter([rows] if rows else []), count=lambda: 0)
        yield "\n".join(json_pieces(answer))


def messages() -> Iterator[str]:
    """An alert with amounts, that it has ended, and a test."""
    change = Change(
        currency="EUR",
        column="BilledCost",
        old=Decimal(1),
        new=Decimal("3.5"),
        difference=Decimal("2.5"),
    )
    alert = Alert(
        kind=Kind.FAILED,
        scope="azure_billing",
        period=OCTOBER,
        run_id="a",
        error="LoadError",
        exit_code=5,
        message="No",
        next="cloudbill load azure_billing --month 2025-10",
        amounts=(change,),
        deployment=Deployment(warehouse="acme.billing", what="export"),
    )
    found = Found(lasting=(alert,), judged=frozenset({alert.scope}))
    told = decide(Memory(), found, at(1))
    yield message_of(
        told, command="cloudbill load all", exit_code=5, now=at(1), sender=SENDER
    ).document
    well = decide(told.told, replace(found, lasting=()), at(2))
    yield message_of(
        well, command="cloudbill load all", exit_code=0, now=at(2), sender=SENDER
    ).document
    yield test_message(at(3), SENDER).document


SAMPLES: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "accept": acceptances,
    "alert": messages,
    "config-show": configurations,
    "doctor": checks,
    "export": exports,
    "focus": focus_plans,
    "history": histories,
    "load": loads,
    "log-line": log,
    "plan": plans,
    "query": answers,
    "smoke-test": smoke_tests,
    "status": statuses,
    "verify": verifications,
    "verify-view": views_verified,
}
