"""An AWS manifest is somebody else's text too: whatever it says, it is read or it is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.errors import ManifestError
from cloudbill.loading.plan_words import planned_line
from cloudbill.manifests import ColumnType, Manifest
from cloudbill.providers import aws_cur
from figures import tries
from property.strategies import JSON_VALUES
from property.test_any_manifest import places
from unit.builders import encoded, listing, stored, to_load
from unit.providers.aws_manifests import CURRENT_PATH, RANGE, REPORT, ROOT, RUN_PATH, document

MODERATE = tries(300)
_GONE = object()
KEYS = st.lists(
    st.sampled_from(["..", ".", "", "cur", REPORT, RANGE, "run", "/", "s3:", "a.csv.gz", "a.zip"]),
    max_size=7,
).map("/".join)


def read(content: bytes, path: str = RUN_PATH) -> Manifest | ManifestError:
    """The manifest, or the error that says why there is none."""
    try:
        return aws_cur.read_manifest(
            content,
            stored=stored(path),
            root=ROOT,
            export=REPORT,
            listing=listing(path, f"{ROOT}{RANGE}/a.csv.gz", "etc/a.csv.gz"),
        )
    except ManifestError as error:
        return error


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A good manifest in which up to three values were replaced or taken out."""
    content: dict[str, Any] = copy.deepcopy(document())
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(content)))
        holder: Any = content
        for key in way:
            holder = holder[key]
        value = draw(st.just(_GONE) | JSON_VALUES)
        if value is _GONE:
            del holder[last]
        else:
            holder[last] = value
    return content


def check(found: Manifest | ManifestError) -> None:
    """What is read can be planned, and lies below the root; what is refused says where."""
    if isinstance(found, ManifestError):
        assert found.path in str(found)
        str(found).encode()
        return
    planned_line(to_load(found)).encode()
    assert found.covers_from <= found.covers_to
    assert found.period.first_day <= found.covers_from < found.period.next.first_day
    assert found.submitted_at.tzinfo is not None
    for column in found.columns or ():
        assert isinstance(aws_cur.column_type(column.name, found), ColumnType)
    for part in found.parts:
        part.path.encode()
        assert part.path.startswith(ROOT)
        assert not {"", ".", ".."} & set(part.path.split("/"))


@MODERATE
@given(JSON_VALUES)
def test_any_json_value(value: object) -> None:
    check(read(json.dumps(value).encode()))


@MODERATE
@given(mutated())
def test_good_manifest_with_values_replaced(content: dict[str, Any]) -> None:
    check(read(encoded(content)))


@MODERATE
@given(st.lists(KEYS, max_size=4), st.sampled_from([CURRENT_PATH, RUN_PATH]))
def test_no_key_leads_out_of_the_report(keys: list[str], path: str) -> None:
    check(read(encoded(document(reportKeys=keys)), path))


@MODERATE
@given(st.integers(0, 1000))
def test_manifest_that_was_cut_off_is_refused(length: int) -> None:
    content = encoded(document())

    assert isinstance(read(content[: min(length, len(content) - 1)]), ManifestError)
