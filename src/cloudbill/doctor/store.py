"""Checks the store of a source: whether it can be listed and read, and what it contains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudbill.doctor.check import Check, failed_check
from cloudbill.errors import CloudbillError, ConfigError
from cloudbill.exports.discovery import Discovery
from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.periods import BillingPeriod
from cloudbill.store import Store
from cloudbill.store.client import StoreClient
from cloudbill.store.faults import is_refused
from cloudbill.store.retrying import Patience
from cloudbill.surveying import find_runs
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["StoreChecks", "bucket_location", "check_store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreChecks:
    """What was found in a store; `newest` has the newest complete run of each month."""

    checks: tuple[Check, ...]
    manifests: tuple[Manifest, ...] = ()
    newest: Mapping[BillingPeriod, Manifest] | None = None
    found: tuple[Store, Discovery] | None = None
    """All that was found, if the store could be read."""
    is_local: bool = False
    bucket_location: str | None = None
    """The location of a bucket on `gs://`, or None if it cannot be seen."""

    @property
    def newest_run(self) -> tuple[Store, Manifest] | None:
        """The complete run of the newest month that has parts, and its store."""
        if self.found is None or not self.newest:
            return None
        with_parts = [one for _, one in sorted(self.newest.items()) if one.parts]
        return (self.found[0], with_parts[-1]) if with_parts else None


def check_store(settings: SourceSettings) -> StoreChecks:
    """Lists the export and reads the first bytes of its newest part; changes nothing."""
    subject = f"{settings.source}: store"
    try:
        store, found = find_runs(settings)
    except ConfigError as error:
        return StoreChecks(checks=(failed_check(f"{settings.source}: credentials", error),))
    except CloudbillError as error:
        return StoreChecks(checks=(failed_check(subject, error),))
    newest = _newest(found.runs)
    checks = [Check(subject=subject, found=f"{store.title}, {store.address} can be listed")]
    checks += _path_checks(settings, found)
    checks += _part_checks(settings, store, newest)
    bucket_location, of_bucket = _look_at_bucket(settings, store)
    checks += of_bucket
    return StoreChecks(
        checks=tuple(checks),
        manifests=tuple(run.manifest for run in found.runs),
        newest=newest,
        found=(store, found),
        is_local=store.local_path("") is not None,
        bucket_location=bucket_location,
    )


def _newest(runs: tuple[DiscoveredRun, ...]) -> dict[BillingPeriod, Manifest]:
    newest: dict[BillingPeriod, Manifest] = {}
    complete = (run.manifest for run in runs if run.is_complete)
    # The run that the provider calls current is the newest, otherwise the run submitted last.
    for manifest in sorted(complete, key=lambda one: (one.is_current, one.submitted_at)):
        newest[manifest.period] = manifest
    return newest


def _path_checks(settings: SourceSettings, found: Discovery) -> Iterator[Check]:
    """The runs of the export; why there are none is one of the reasons of the source."""
    subject = f"{settings.source}: export"
    if found.failures:
        yield Check(
            subject=subject,
            found=f"{counted(found.deliveries, 'run')}, and "
            f"{counted(len(found.failures), 'manifest')} that cannot be read: "
            f"{found.failures[0].error}",
            remedy="let the provider or the copy tool deliver them again; if all have this fault, "
            "correct the export",
            exit_code=max(failure.error.exit_code for failure in found.failures),
        )
    elif found.runs:
        newest = max(run.manifest.submitted_at for run in found.runs)
        months = len({run.manifest.period for run in found.runs})
        yield Check(
            subject=subject,
            found=f"{counted(found.deliveries, 'run')} of {counted(months, 'month')}, the newest "
            f"of {newest:%Y-%m-%d %H:%M} UTC",
        )


def _part_checks(
    settings: SourceSettings, store: Store, newest: Mapping[BillingPeriod, Manifest]
) -> Iterator[Check]:
    """Reads one part, because an account may list a bucket but not read its objects."""
    parts = [part for period in sorted(newest, reverse=True) for part in newest[period].parts]
    if not parts:
        return
    subject = f"{settings.source}: part"
    try:
        store.read_head(parts[0].path, 4)
    except CloudbillError as error:
        yield failed_check(subject, error)
    else:
        yield Check(subject=subject, found=f"{store.uri(parts[0].path)} may be read")


def _look_at_bucket(settings: SourceSettings, store: Store) -> tuple[str | None, tuple[Check, ...]]:
    """The location of a bucket that BigQuery loads from, and whether the account sees the bucket.

    Load jobs need that as well ("Loading Parquet data from Cloud Storage", required permissions).
    """
    if store.scheme != "gs" or settings.project_id is None:
        return None, ()
    bucket = store.address.removeprefix("gs://").partition("/")[0]
    subject = f"{settings.source}: bucket"
    try:
        client = StoreClient.open(
            "gs", bucket, sections=settings.sections, patience=Patience(settings.retry_for_s)
        )
        location = bucket_location(client, bucket)
    except CloudbillError as error:
        if error.__cause__ is None or not is_refused(error.__cause__):
            found = f"gs://{bucket} does not say where it is: {error}"
            return None, (Check(subject=subject, found=found, is_checked=False),)
        missing = Check(
            subject=subject,
            found=f"storage.buckets.get is missing on gs://{bucket}; BigQuery lists it among what "
            "a load job needs, and roles/storage.objectViewer lacks it",
            remedy="grant the account roles/storage.legacyBucketReader on the bucket, or a custom "
            "role that has storage.buckets.get",
        )
        return None, (missing,)
    seen = Check(subject=subject, found=f"gs://{bucket} can be seen, as load jobs need")
    return location or None, (seen,)


def bucket_location(client: StoreClient, bucket: str) -> str:
    """The location of a bucket on `gs://`, empty where it is not told.

    Raises:
        StoreError: If the account may not see it.
    """

    async def ask() -> Mapping[str, Any]:
        found: Mapping[str, Any] = await client.filesystem._call(  # noqa: SLF001
            "GET", "b/{}", bucket, json_out=True
        )
        return found

    return str(client.call(f"gs://{bucket}", ask).get("location") or "")
