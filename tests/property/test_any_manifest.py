"""A manifest is somebody else's text: whatever it says, it is read or it is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.errors import ManifestError
from cloudbill.loading.plan_words import planned_line
from cloudbill.manifests import Manifest
from cloudbill.providers import azure_focus
from cloudbill.providers.json_object import JsonObject
from cloudbill.text.times import parse_time
from figures import tries
from property.strategies import JSON_VALUES
from unit.builders import MANIFEST_PATH, ROOT, document, encoded, listing, stored, to_load

MODERATE = tries(150)
_GONE = object()


def read(content: bytes) -> Manifest | ManifestError:
    """The manifest, or the error that says why there is none."""
    try:
        return azure_focus.read_manifest(
            content,
            stored=stored(MANIFEST_PATH),
            root=ROOT,
            export="focus-daily",
            listing=listing(MANIFEST_PATH),
        )
    except ManifestError as error:
        return error


def places(value: object, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a document."""
    found = [here] if here else []
    items = list(value.items()) if isinstance(value, dict) else []
    items = list(enumerate(value)) if isinstance(value, list) else items
    for key, inner in items:
        found += places(inner, (*here, key))
    return found


def key_of_error(read_value: Callable[[str], object]) -> str:
    """The key that the error names, or the key itself where there is no error."""
    try:
        read_value("a")
    except ManifestError as error:
        return str(error.key)
    return "a"


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


class TestAnyManifest:
    """Any JSON value either parses or raises `ManifestError`, which names its path."""

    def check(self, found: Manifest | ManifestError) -> None:
        if isinstance(found, ManifestError):
            assert found.path == MANIFEST_PATH
            assert MANIFEST_PATH in str(found)
            str(found).encode()
            return
        # What is planned and printed of it must not fail later either.
        planned_line(to_load(found)).encode()
        assert found.covers_from <= found.covers_to
        assert found.period.first_day <= found.covers_from < found.period.next.first_day
        assert found.submitted_at.tzinfo is not None
        for part in found.parts:
            part.path.encode()
            assert part.path.startswith(ROOT)
            assert ".." not in part.path.split("/")

    @MODERATE
    @given(JSON_VALUES)
    def test_any_json_value(self, value: object) -> None:
        self.check(read(json.dumps(value).encode()))

    @MODERATE
    @given(mutated())
    def test_good_manifest_with_values_replaced(self, content: dict[str, Any]) -> None:
        self.check(read(encoded(content)))

    @MODERATE
    @given(st.binary(max_size=200))
    def test_any_bytes(self, content: bytes) -> None:
        self.check(read(content))

    @MODERATE
    @given(st.data())
    def test_good_manifest_with_bytes_replaced(self, data: st.DataObject) -> None:
        content = bytearray(encoded(document()))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

        self.check(read(bytes(content)))

    @MODERATE
    @given(st.integers(0, 2000))
    def test_manifest_that_was_cut_off_is_refused(self, length: int) -> None:
        content = encoded(document())

        assert isinstance(read(content[: min(length, len(content) - 1)]), ManifestError)


class TestAnyValue:
    """Whatever is asked for, the answer has the right type or the error names the key."""

    @MODERATE
    @given(JSON_VALUES)
    def test_any_value_is_read_or_refused(self, value: object) -> None:
        found = JsonObject.parse(encoded({"a": value}), path=MANIFEST_PATH)
        reads: list[Callable[[str], object]] = [
            found.text,
            found.count,
            found.time,
            found.child,
            found.texts,
            lambda name: list(found.children(name)),
        ]
        for read_value in reads:
            assert key_of_error(read_value).startswith("a")

    @MODERATE
    @given(st.datetimes(timezones=st.timezones() | st.none()))
    def test_any_time_that_is_written_is_read_back(self, moment: datetime) -> None:
        written = moment.isoformat()
        try:
            found = parse_time(written)
        except ValueError:
            assert moment.year in {1, 9998, 9999}
            return

        in_utc = datetime.fromisoformat(written)
        assert found == (in_utc if in_utc.tzinfo else in_utc.replace(tzinfo=UTC))
        assert found.utcoffset() == timedelta(0)
