"""Points of the smoke test that load, verify and look as the commands do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api

from cloudbill.doctor.examination import examine_source
from cloudbill.doctor.smoke_exports import ADDED, CSV, LACKING, MONTHS, PARQUET
from cloudbill.doctor.smoke_killing import kill_a_load
from cloudbill.doctor.smoke_point import Seen, one_line
from cloudbill.doctor.smoke_trial import result_of
from cloudbill.doctor.warehouse import check_warehouse
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from cloudbill.models import SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.text.counts import counted
from cloudbill.warehouses.bigquery.client import JOB_PREFIX

if TYPE_CHECKING:
    from cloudbill.doctor.check import Check
    from cloudbill.doctor.smoke_trial import Trial
    from cloudbill.loading.outcome import Outcome
    from cloudbill.settings import SourceSettings

__all__ = [
    "first_load",
    "killed_load",
    "listing",
    "nothing_new",
    "other_columns",
    "required_filter",
    "rights",
    "verified_load",
]

_WAITS_S: Final = (5.0, 55.0)
"""Between looks for partitions that are late, in the whole of a point: each look bills 10 MB."""
_JOB_WITHIN_S: Final = 10.0
_LOOK_EVERY_S: Final = 1.0
_STAGED: Final = "2025-02"
_KILLED: Final = "2025-05"


def rights(trial: Trial) -> Iterator[Seen]:
    """0: what `doctor` says before the first load."""
    return _told(examine_source(trial.settings(PARQUET)).checks)


def _told(checks: Iterable[Check]) -> Iterator[Seen]:
    """What checks found; what could not be checked is told, and judged by nobody."""
    checks = list(checks)
    names = {id(check): check.subject.partition(": ")[2] or check.subject for check in checks}
    well = [names[id(check)] for check in checks if check.is_well and check.is_checked]
    yield Seen(text=f"doctor: ok are {', '.join(well) or 'none'}", is_expected=bool(well))
    for check in checks:
        if not check.is_checked:
            yield Seen(text=f"not checked: {names[id(check)]}: {check.found}", is_expected=None)
        elif not check.is_well:
            yield Seen(text=f"LOOK: {names[id(check)]}: {check.found}", is_expected=False)


def first_load(trial: Trial) -> Iterator[Seen]:
    """1: each month is one load job, which says what its manifest says."""
    outcome = trial.load_once(PARQUET)
    for failure in outcome.failures:
        yield Seen(text=f"{failure.planned.period} failed: {failure.error}", is_expected=False)
    jobs = _jobs_of(trial, outcome)
    kinds = Counter(job.job_type for job in jobs.values())
    told = ", ".join(counted(count, f"{kind} job") for kind, count in kinds.items())
    yield Seen(
        text=f"{counted(len(jobs), 'month')} by {told or 'no job'}",
        is_expected=sorted(jobs) == [*MONTHS] and kinds == {"load": len(MONTHS)},
    )
    rows = {month: job.output_rows for month, job in jobs.items()}
    stated = {str(one.planned.period): one.planned.manifest.rows for one in outcome.results}
    yield Seen(
        text=f"outputRows {_each_once(rows.values())}; the manifests {_each_once(stated.values())}",
        is_expected=rows == stated,
    )
    files = {job.input_files for job in jobs.values()}
    yield Seen(text=f"inputFiles {_each_once(files)}", is_expected=files == {2})


def _jobs_of(trial: Trial, outcome: Outcome) -> dict[str, Any]:
    """The job that replaced each month of a load."""
    return {str(one.planned.period): trial.job(one.job_id) for one in outcome.results}


def _each_once(values: Iterable[object]) -> str:
    return ", ".join(sorted({str(value) for value in values})) or "none"


def nothing_new(trial: Trial) -> Iterator[Seen]:
    """2: a load that finds nothing new starts no job that writes."""
    before = len(trial.jobs("load")) + len(trial.jobs("copy"))
    outcome = trial.load(trial.settings(PARQUET))
    known = sum(skip.reason is SkipReason.ALREADY_LOADED for skip in outcome.skips)
    yield Seen(
        text=f"{counted(known, 'month')} already loaded, {len(outcome.results)} loaded",
        is_expected=known == len(MONTHS) and not outcome.results,
    )
    begun = len(trial.jobs("load")) + len(trial.jobs("copy")) - before
    yield Seen(text=f"{begun} new load or copy jobs", is_expected=begun == 0)


def verified_load(trial: Trial) -> Iterator[Seen]:
    """3: files and table are equal, costs are BIGNUMERIC, and `doctor` may edit the table."""
    settings = trial.settings(PARQUET)
    yield _verified(settings, *MONTHS)
    table = trial.client.get_table(trial.reference(settings.table_name))
    costs = {name.lower() for name in settings.provider.COST_COLUMNS}
    kinds = {field.field_type for field in table.schema if field.name.lower() in costs}
    yield Seen(text=f"costs are {', '.join(sorted(kinds))}", is_expected=kinds == {"BIGNUMERIC"})
    by = table.time_partitioning
    yield Seen(
        text=f"partitions by {by.type_} of {by.field}, clusters by {table.clustering_fields}",
        is_expected=by.type_ == "MONTH",
    )
    yield from _told(check_warehouse(settings, trial.place.location))


def _verified(settings: SourceSettings, *months: str) -> Seen:
    """What `verify` says of months."""
    periods = frozenset(BillingPeriod.parse(month) for month in months)
    found = verify_source(settings, periods, lambda _: None)
    for error in [failure.error for failure in found.failures] + [found.error]:
        if error is not None:
            raise error
    verdicts = Counter(str(report.verdict) for report in found.months)
    told = ", ".join(
        f"{counted(count, 'month')} {verdict}" for verdict, count in sorted(verdicts.items())
    )
    return Seen(
        text=f"verify: {told or 'no month'}",
        is_expected=verdicts == {str(Verdict.EQUAL): len(months)},
    )


def listing(trial: Trial) -> Iterator[Seen]:
    """4: when PARTITIONS lists what a job wrote, and what it says of the time."""
    waits = iter(_WAITS_S)
    jobs = _jobs_of(trial, trial.load_once(PARQUET))
    yield from _listed(trial, trial.settings(PARQUET).table_name, jobs, "first load", waits)
    trial.make_table("probe_listed")
    job = trial.plain_load("probe_listed$202501", trial.put_words("listed", {"a": "2025-01-01"}))
    yield from _listed(trial, "probe_listed", {"2025-01": job}, "plain job", waits)
    staged = trial.settings(CSV)
    job = trial.job(result_of(trial.load_once(CSV), _STAGED).job_id)
    yield Seen(
        text=f"parts with different columns: a {job.job_type} job",
        is_expected=job.job_type == "copy",
    )
    yield from _listed(trial, staged.table_name, {_STAGED: job}, "staged load", waits)


def _listed(
    trial: Trial, table: str, jobs: Mapping[str, Any], what: str, waits: Iterator[float]
) -> Iterator[Seen]:
    """Looks at the partitions of a table until all are there that jobs wrote, or `waits` end."""
    looks = 0
    while True:
        rows = trial.ask("listing", table_name=table, dataset=trial.path())
        looks += 1
        written = {str(row[0]): row[1] for row in rows if row[2]}
        missing = {month for month in jobs if month.replace("-", "") not in written}
        wait_s = next(waits, None) if missing else None
        if wait_s is None:
            break
        time.sleep(wait_s)
    # Both times are BigQuery's own, so the clock of this machine does not matter.
    ends = [job.ended for job in jobs.values()]
    is_told = bool(rows and ends)
    waited = f"{(rows[0][3] - max(ends)).total_seconds():.1f} s" if is_told else "no time"
    looked = f"{counted(looks, 'look')}, {waited} after the last job"
    yield Seen(
        text=f"{what}: {len(jobs) - len(missing)} of {len(jobs)} listed after {looked}",
        is_expected=bool(jobs) and looks == 1 and not missing,
    )
    late = [
        (written[month.replace("-", "")] - job.ended).total_seconds()
        for month, job in jobs.items()
        if month not in missing
    ]
    if late:
        yield Seen(
            text=f"{what}: last_modified_time - endTime is at most {max(late):+.3f} s",
            is_expected=max(late) <= 0,
        )


def other_columns(trial: Trial) -> Iterator[Seen]:
    """5: a CSV run that lacks a column, has a new one, and has them in another order."""
    settings = trial.settings(CSV)
    job = trial.job(result_of(trial.load_once(CSV), "2025-01").job_id)
    yield Seen(text=f"one {job.job_type} job", is_expected=job.job_type == "load")
    table = trial.client.get_table(trial.reference(settings.table_name))
    billed = settings.provider.BILLED_COLUMN
    names = (settings.provider.PERIOD_COLUMN, LACKING, ADDED, billed)
    fields = [field for field in table.schema if field.name in names]
    found: dict[str, set[str]] = {LACKING: set(), ADDED: set()}
    summed = Decimal(0)
    for row in trial.client.list_rows(table, selected_fields=fields):
        month = f"{row[names[0]]:%Y-%m}"
        summed += row[billed] if month == "2025-01" else 0
        for name in (LACKING, ADDED):
            if row[name] is not None:
                found[name].add(month)
    with_lacking, with_added = sorted(found[LACKING]), sorted(found[ADDED])
    yield Seen(
        text=f"{LACKING} has values in {', '.join(with_lacking) or 'no month'}",
        is_expected=with_lacking == [_STAGED],
    )
    yield Seen(
        text=f"the new column has values in {', '.join(with_added) or 'no month'}",
        is_expected=with_added == ["2025-01"],
    )
    written = trial.exports[CSV]["2025-01"].totals
    wanted = sum(costs[billed] for costs in written.values())
    yield Seen(
        text=f"{billed} is {summed} in the table, {wanted} in the files",
        is_expected=summed == wanted,
    )


def killed_load(trial: Trial) -> Iterator[Seen]:
    """9: the load after a killed one waits for the job of that one, and starts no other."""
    name = "killed"
    settings = trial.settings(name, PARQUET)
    ended = kill_a_load(trial.place, name, PARQUET, month=_KILLED, home=trial.home / "killed")
    yield Seen(
        text=f"the first process ended with {'nothing' if ended is None else ended}",
        is_expected=ended is not None and ended < 0,
    )
    begun = _first_jobs(trial, settings.table_name)
    yield Seen(text=f"it had begun {counted(len(begun), 'job')}", is_expected=len(begun) == 1)
    result = result_of(trial.load(settings, _KILLED), _KILLED)
    after = _month_jobs(trial, settings.table_name)
    yield Seen(
        text=f"the next load recorded {counted(result.rows, 'row')} of "
        f"{'the same' if result.job_id in begun else 'another'} job; "
        f"{counted(len(after), 'job')} in all",
        is_expected=result.job_id in begun and after == begun,
    )


def _first_jobs(trial: Trial, table: str) -> list[str]:
    """The jobs that loaded months into a table, as soon as any is listed."""
    began = time.monotonic()
    while True:
        found = _month_jobs(trial, table)
        if found or time.monotonic() - began > _JOB_WITHIN_S:
            return found
        time.sleep(_LOOK_EVERY_S)


def _month_jobs(trial: Trial, table: str) -> list[str]:
    """The ids of the jobs that loaded months into a table."""
    jobs = trial.jobs("load")
    loading = [job for job in jobs if str(job.destination.table_id).partition("$")[0] == table]
    return sorted(job.job_id for job in loading if job.job_id.startswith(JOB_PREFIX))


def required_filter(trial: Trial) -> Iterator[Seen]:
    """12: a table that demands a filter of partitions from each query."""
    settings = trial.settings(PARQUET)
    table = trial.client.get_table(trial.reference(settings.table_name))
    table.require_partition_filter = True
    changed = trial.client.update_table(table, ["require_partition_filter"])
    is_set = bool(changed.require_partition_filter)
    yield Seen(text=f"the filter is {'' if is_set else 'not '}demanded", is_expected=is_set)
    try:
        trial.ask("count", table=trial.path(settings.table_name))
    except api.GoogleAPICallError as error:
        said = str(error.errors[0].get("message") if error.errors else error.message)
        yield Seen(text=f"a query without it: {one_line(said)}", is_expected=True)
    else:
        yield Seen(text="a query without it is answered", is_expected=False)
    yield _verified(settings, MONTHS[-1])
    months = trial.months_reported(settings)
    yield Seen(text=f"report: {counted(months, 'month')}", is_expected=months == len(MONTHS))
