"""Points of the smoke test that ask the service by plain jobs, and what a load makes of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cloudbill.doctor.smoke_exports import MODES, REQUIRED, parquet_of
from cloudbill.doctor.smoke_place import Folder
from cloudbill.doctor.smoke_point import Seen, one_line
from cloudbill.doctor.smoke_trial import probe_fields
from cloudbill.text.counts import counted
from cloudbill.text.sizes import shown_size
from cloudbill.warehouses.bigquery.expirations import keep_table

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_trial import Trial

__all__ = [
    "answer",
    "billed_bytes",
    "expirations",
    "modes",
    "other_month",
    "other_region",
]

_DAY_MS: Final = 86_400_000
_MOST_BILLED: Final = 1_000_000_000


def answer(job: Any) -> str:
    """What a job answered, in one line."""
    if job.error_result is None:
        return f"loaded {counted(job.output_rows, 'row')}" if job.job_type == "load" else "done"
    return one_line(f"{job.error_result.get('reason')}: {job.error_result.get('message')}")


def modes(trial: Trial) -> Iterator[Seen]:
    """6: what a load job says of modes that differ, and that loads get by."""
    for file_mode, stated in (("REQUIRED", "NULLABLE"), ("NULLABLE", "REQUIRED")):
        content = parquet_of({"2025-01-01": ["a"]}, is_required=file_mode == "REQUIRED")
        uri = trial.folder.put(f"probes/{file_mode.lower()}.parquet", content)
        name = f"probe_mode_{stated.lower()}"
        trial.make_table(name, is_required=stated == "REQUIRED")
        for what, schema in (
            (f"a schema of {stated}", probe_fields(stated)),
            ("no schema", None),
        ):
            options: dict[str, Any] = {"schema": schema} if schema else {}
            job = trial.plain_load(f"{name}$202501", uri, source_format="PARQUET", **options)
            yield Seen(
                text=f"{file_mode} file into a {stated} table by a job with {what}: {answer(job)}",
                is_expected=job.error_result is not None if schema else None,
            )
    outcome = trial.load_once(MODES)
    expected = {"2025-03": "load", "2025-02": "load", "2025-01": "copy"}
    for month, kind in expected.items():
        mode = "OPTIONAL" if month == "2025-02" else "REQUIRED"
        for failure in outcome.failures:
            if str(failure.planned.period) == month:
                yield Seen(text=f"cloudbill: {mode} failed: {failure.error}", is_expected=False)
        for result in outcome.results:
            if str(result.planned.period) == month:
                job = trial.job(result.job_id)
                text = f"cloudbill: {counted(result.rows, f'{mode} row')} by a {job.job_type} job"
                yield Seen(text=text, is_expected=job.job_type == kind)
    table = trial.client.get_table(trial.reference(trial.settings(MODES).table_name))
    (mode,) = (one.mode for one in table.schema if one.name == REQUIRED)
    yield Seen(text=f"the column is {mode} then", is_expected=mode == "NULLABLE")


def expirations(trial: Trial) -> Iterator[Seen]:
    """8: what tables inherit from the dataset, whether it can be lifted, and what is copied."""
    reference = f"{trial.place.project}.{trial.place.dataset}"
    dataset = trial.client.get_dataset(reference)
    dataset.default_partition_expiration_ms = 60 * _DAY_MS
    trial.client.update_dataset(dataset, ["default_partition_expiration_ms"])
    try:
        yield from _inherited(trial)
    finally:
        dataset = trial.client.get_dataset(reference)
        dataset.default_partition_expiration_ms = None
        trial.client.update_dataset(dataset, ["default_partition_expiration_ms"])


def _inherited(trial: Trial) -> Iterator[Seen]:
    plain = trial.make_table("probe_expiring")
    kept = plain.time_partitioning.expiration_ms
    yield Seen(
        text=f"a plain table is made with expirationMs {kept}", is_expected=kept == 60 * _DAY_MS
    )
    uri = trial.put_words("expiring", {"old": "2025-01-01"})
    job = trial.plain_load("probe_expiring$202501", uri)
    yield Seen(
        text=f"a month older than that: {answer(job)}, "
        f"then the table has {trial.words('probe_expiring') or 'nothing'}",
        is_expected=None,
    )
    lifted = keep_table(trial.client, plain).time_partitioning.expiration_ms
    yield Seen(
        text=f"cloudbill's patch with null leaves expirationMs {lifted}", is_expected=not lifted
    )
    job = trial.plain_load("probe_expiring$202501", uri)
    held = trial.words("probe_expiring")
    yield Seen(
        text=f"the same month again: {answer(job)}, then the table has {held or 'nothing'}",
        is_expected=held == {"202501": "old"},
    )
    trial.make_table("probe_kept", expiration_ms=36500 * _DAY_MS)
    job = trial.plain_copy("probe_expiring$202501", "probe_kept$202501")
    held = trial.words("probe_kept")
    yield Seen(
        text=f"a copy into a table that differs only in expirationMs: {answer(job)}, "
        f"it has {held or 'nothing'}",
        is_expected=held == {"202501": "old"},
    )


def other_month(trial: Trial) -> Iterator[Seen]:
    """10: rows of another month, and a file that has a header and no row."""
    trial.make_table("probe_months")
    words = {"old": "2025-01-01"}
    trial.plain_load("probe_months$202501", trial.put_words("old", words))
    wrong = trial.put_words("wrong", {"new": "2025-01-02", "wrong": "2025-02-01"})
    job = trial.plain_load("probe_months$202501", wrong)
    reason = (job.error_result or {}).get("reason")
    yield Seen(text=f"a row of another month: {answer(job)}", is_expected=reason == "invalid")
    held = trial.words("probe_months")
    yield Seen(text=f"the table has {held}", is_expected=held == {"202501": "old"})
    empty = trial.put_words("empty", {}, header=True)
    job = trial.plain_load("probe_months$202503", empty, skip_leading_rows=1)
    described: Any = trial.client.get_job(job.job_id, location=trial.place.location)
    # What the client makes of it tells no absent count from one of 0.
    statistics = described._properties.get("statistics", {})  # noqa: SLF001
    rows = statistics.get("load", {}).get("outputRows", "absent")
    yield Seen(
        text=f"a file with a header alone: outputRows is {rows!r}, the client says "
        f"{job.output_rows!r}",
        is_expected=job.error_result is None and rows in {"0", "absent"},
    )


def other_region(trial: Trial) -> Iterator[Seen]:
    """11: a load from a bucket in another location."""
    place = trial.place
    if place.other_bucket is None:
        yield Seen(text="not tried: give --other-bucket", is_expected=None)
        return
    folder = Folder(place.other_bucket, place.folder)
    uri = folder.put("probes/far.csv", b"2025-01-01 00:00:00 UTC,far\n")
    trial.make_table("probe_far")
    job = trial.plain_load("probe_far$202501", uri)
    # Pages of the documentation differ: some say that it fails, newer ones that it costs transfer.
    yield Seen(
        text=f"from {place.other_location or 'somewhere'} into {place.location}: {answer(job)}",
        is_expected=True,
    )


def billed_bytes(trial: Trial) -> Iterator[Seen]:
    """13: what all of this billed."""
    jobs = trial.jobs()
    kinds = Counter(str(job.job_type) for job in jobs)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    bills = [getattr(job, "total_bytes_billed", None) for job in jobs]
    trial.bytes_billed = sum(bill or 0 for bill in bills)
    yield Seen(
        text=f"{shown_size(trial.bytes_billed)} billed by {told} jobs",
        is_expected=trial.bytes_billed < _MOST_BILLED,
    )
