"""Checks where a bucket and the dataset are, because a load between two locations is not free.

Sources: BigQuery, "Batch loading data" (data locations: loads across locations are charged for
transfer, and older pages say that they fail), "BigQuery locations" (multi-regions); Cloud Storage,
"Bucket locations" (dual-regions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudbill.doctor.check import Check

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["check_location", "is_near"]

_REGIONS: Final = {"us": "us-", "eu": "europe-", "asia": "asia-"}
"""Multi-regions, and how the names of their regions begin."""
_OUTSIDE: Final = {"eu": frozenset({"europe-west2", "europe-west6"})}
"""London and Zürich are not in the multi-region of the European Union."""
_DUAL_REGIONS: Final = {
    "nam4": "us",
    "eur4": "eu",
    "eur5": "europe-",
    "eur7": "europe-",
    "eur8": "europe-",
    "asia1": "asia",
}
_DEFAULT: Final = "US"
"""Where BigQuery creates a dataset if nobody says where."""


def check_location(
    settings: SourceSettings, location: str | None, bucket: str | None, *, exists: bool
) -> Check:
    """Compares the location of a dataset, or where it will be created, with that of the bucket."""
    subject = f"{settings.source}: location"
    wanted = settings.location
    if wanted and location and wanted.lower() != location.lower():
        return Check(
            subject=subject,
            found=f"'location' is {wanted}, but the dataset is in {location}",
            remedy=f"leave 'location' out, or set it to {location}",
        )
    if bucket is None:
        seen = "nothing shows where the bucket is, or it is not on gs://"
        return Check(subject=subject, found=seen, is_checked=False)
    if exists:
        found = f"the dataset is in {location}, the bucket in {bucket}"
        mending = f"use a dataset in {bucket}, or a bucket in {location}"
    else:
        by_default = "" if wanted else ", by BigQuery's default"
        location = location or _DEFAULT
        found = f"the dataset will be created in {location}{by_default}; the bucket is in {bucket}"
        mending = f"set 'location' to {bucket} before the first load, for a dataset cannot be moved"
    near = is_near(location or _DEFAULT, bucket)
    if near is None:
        found = f"{found}; whether the dual-region includes the dataset's is not known here"
        return Check(subject=subject, found=found, is_checked=False)
    if near:
        return Check(subject=subject, found=found)
    return Check(
        subject=subject,
        found=f"{found}: each load is charged for transfer, and BigQuery may refuse it",
        remedy=mending,
    )


def is_near(dataset: str, bucket: str) -> bool | None:
    """Whether a bucket is in the location of a dataset, or one of the two contains the other.

    None where the regions of a dual-region are not known here.
    """
    one, other = dataset.lower(), bucket.lower()
    if one == other:
        return True
    if other in _DUAL_REGIONS:
        around = _DUAL_REGIONS[other]
        if one in _REGIONS:
            return around == one if around in _REGIONS else None
        # A region may be one of the two, and is not where it is on another continent.
        return None if one.startswith(_REGIONS.get(around, around)) else False
    return _contains(one, other) or _contains(other, one)


def _contains(multi_region: str, region: str) -> bool:
    beginning = _REGIONS.get(multi_region)
    is_outside = region in _OUTSIDE.get(multi_region, ())
    return beginning is not None and region.startswith(beginning) and not is_outside
