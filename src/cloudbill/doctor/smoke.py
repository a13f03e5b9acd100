"""The smoke test: what only the real service can show, tried in a place of its own.

Whatever the test makes it removes, also where it is interrupted, and touches nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.disk.spool import spool_folder
from cloudbill.doctor.smoke_exports import PARQUET, write_exports
from cloudbill.doctor.smoke_loads import (
    first_load,
    killed_load,
    listing,
    nothing_new,
    other_columns,
    required_filter,
    rights,
    verified_load,
)
from cloudbill.doctor.smoke_place import Folder, Place, make_dataset, remove_dataset
from cloudbill.doctor.smoke_point import Attempt, Finding, Point, Verdict, find
from cloudbill.doctor.smoke_policies import policies
from cloudbill.doctor.smoke_probes import (
    billed_bytes,
    expirations,
    modes,
    other_month,
    other_region,
)
from cloudbill.doctor.smoke_statements import MOST_BYTES
from cloudbill.doctor.smoke_trial import Trial, own_state
from cloudbill.doctor.smoke_types import parquet_types
from cloudbill.errors import LoadError, TransientLoadError
from cloudbill.loading.stopping import Stop
from cloudbill.periods import utc_now
from cloudbill.text.exit_codes import highest_code
from cloudbill.warehouses.bigquery.client import PersistentClient, billing_at_most, open_client

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["POINTS", "SmokeTest"]

_LOOK: Final = 1
"""What `doctor` ends with where a person should look at something."""

POINTS: Final = (
    Point(number=0, title="rights", expected="`doctor` finds nothing to mend", run=rights),
    Point(
        number=1,
        title="first load",
        expected="one load job a month, with outputRows of the manifest and inputFiles 2",
        run=first_load,
    ),
    Point(
        number=2,
        title="nothing new",
        expected="no load job and no copy job",
        run=nothing_new,
    ),
    Point(
        number=3,
        title="files and table",
        expected="every month equal, costs BIGNUMERIC, `doctor` finds nothing to mend",
        run=verified_load,
    ),
    Point(
        number=4,
        title="listing in PARTITIONS",
        expected="every month at the first look, last_modified_time not after the job's endTime",
        run=listing,
    ),
    Point(
        number=5,
        title="other columns in CSV",
        expected="one load job; values in the right columns, equal when verified",
        run=other_columns,
    ),
    Point(
        number=6,
        title="modes and types of Parquet",
        expected="plain jobs that state another mode are refused; cloudbill loads all; a double is "
        "FLOAT, and a load makes amounts, objects and times of raw values that are exact",
        run=lambda trial: chain(modes(trial), parquet_types(trial)),
    ),
    Point(
        number=7,
        title="row access policy",
        expected="every way leaves other months alone; a transaction and cloudbill keep the policy",
        run=policies,
    ),
    Point(
        number=8,
        title="expiration",
        expected="inherited from the dataset, lifted by a patch with null, no bar to a copy",
        run=expirations,
    ),
    Point(
        number=9,
        title="killed process",
        expected="the next load takes up its job and starts no other",
        run=killed_load,
    ),
    Point(
        number=10,
        title="rows of another month",
        expected="refused as invalid, the old month stays; outputRows is '0' or absent for no rows",
        run=other_month,
    ),
    Point(
        number=11,
        title="bucket in another region",
        expected="any answer is news: the pages of the documentation differ",
        run=other_region,
    ),
    Point(
        number=12,
        title="required partition filter",
        expected="a query without it is refused, `verify` and `report` work",
        run=required_filter,
    ),
    Point(number=13, title="bytes billed", expected="less than 1 GB", run=billed_bytes),
)


@dataclass(kw_only=True)
class SmokeTest:
    """One run of the smoke test; what it has found so far is there at any time."""

    place: Place
    attempt: Attempt
    months_reported: Callable[[SourceSettings], int]
    keep: bool = False
    points: tuple[Point, ...] = POINTS
    findings: list[Finding] = field(default_factory=list)
    bytes_billed: int | None = None
    left: list[str] = field(default_factory=list)
    """What it made and did not remove, or not yet."""
    removed: list[str] = field(default_factory=list)
    not_removed: CloudbillError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every point was tried."""
        return len(self.findings) == len(self.points)

    @property
    def exit_code(self) -> int:
        """0 where every point is as expected, else 1; that of the error that left something."""
        is_odd = any(one.verdict in {Verdict.DIFFERENT, Verdict.FAILED} for one in self.findings)
        left = 0 if self.not_removed is None else self.not_removed.exit_code
        return highest_code([_LOOK if is_odd else 0, left])

    def run(self, listen: Callable[[Finding], None], stop: Stop) -> None:
        """Makes the place, tries every point, and removes the place; `listen` hears each finding.

        Raises:
            CloudbillError: If the place cannot be made.
            KeyboardInterrupt: If the user stopped it; the place is removed then, too.
        """
        settings = self.place.settings(PARQUET).warehouse
        with (
            spool_folder() as home,
            own_state(home / "state"),
            billing_at_most(MOST_BYTES),
            closing(open_client(settings)) as client,
        ):
            try:
                self._try_all(client, home, listen, stop)
            finally:
                if not self.keep:
                    self._remove(client)

    def _try_all(
        self,
        client: PersistentClient,
        home: Path,
        listen: Callable[[Finding], None],
        stop: Stop,
    ) -> None:
        place = self.place
        trial = Trial(
            place=place,
            client=client,
            folder=Folder(place.bucket, place.folder),
            home=home,
            stop=stop,
            began_at=utc_now(),
            months_reported=self.months_reported,
        )
        dataset, *folders = _names(place)
        self.left.append(dataset)
        try:
            make_dataset(client, place)
        except LoadError as error:
            if not isinstance(error, TransientLoadError):  # which may have made it all the same
                self.left.remove(dataset)
            raise
        self.left += folders
        trial.exports = write_exports(home / "exports")
        trial.folder.put_tree(home / "exports")
        for point in self.points:
            self.findings.append(find(point, trial, self.attempt))
            self.bytes_billed = trial.bytes_billed
            listen(self.findings[-1])

    def _remove(self, client: PersistentClient) -> None:
        """Removes all that was made; what cannot be removed stays in `left`."""
        place = self.place
        removals: dict[str, Callable[[], object]] = {
            f"dataset {place.project}.{place.dataset}": lambda: remove_dataset(client, place)
        }
        for bucket in _buckets(place):
            removals[f"folder gs://{bucket}/{place.folder}/"] = Folder(bucket, place.folder).remove
        for name, remove in removals.items():
            if name not in self.left:
                continue
            failures: list[SourceFailure] = []
            self.attempt(None, remove, failures.append)
            if failures:
                self.not_removed = failures[0].error
            else:
                self.left.remove(name)
                self.removed.append(name)


def _buckets(place: Place) -> list[str]:
    return [place.bucket, *([place.other_bucket] if place.other_bucket else [])]


def _names(place: Place) -> list[str]:
    """All that is made."""
    folders = [f"folder gs://{bucket}/{place.folder}/" for bucket in _buckets(place)]
    return [f"dataset {place.project}.{place.dataset}", *folders]
