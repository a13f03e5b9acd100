"""JSON that somebody else wrote: every error names the file and the place inside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cloudbill.errors import ManifestError
from cloudbill.providers.json_object import JsonObject
from cloudbill.text.times import parse_time

PATH = "export/manifest.json"


def parse(content: bytes | str) -> JsonObject:
    """A document that lies at `PATH`."""
    return JsonObject.parse(content.encode() if isinstance(content, str) else content, path=PATH)


class TestDocument:
    @pytest.mark.parametrize(
        "content",
        ['{"a": 1}', b'\xef\xbb\xbf{"a": 1}', ' \r\n{"a" :\t1}\n'],
        ids=["plain", "byte order mark", "white space"],
    )
    def test_object_is_read(self, content: bytes | str) -> None:
        assert parse(content).count("a") == 1

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b'{"a": 1} trailing',
            b"{'a': 1}",
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": "\xff"}',
            '{"a": 1}'.encode("utf-16"),
            b'{"a": ' + b"9" * 5000 + b"}",
            b'{"a": ' + b"[" * 200_000,
            b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
            b'{"a": "' + b"\n" + b'"}',
        ],
        ids=[
            "empty file",
            "cut off",
            "text after it",
            "single quotes",
            "NaN",
            "minus infinity",
            "not UTF-8",
            "UTF-16",
            "number of 5000 digits",
            "nested deeply and cut off",
            "nested deeply",
            "line break in a text",
        ],
    )
    def test_what_is_not_json_is_refused(self, content: bytes) -> None:
        with pytest.raises(ManifestError, match=r"^This is not JSON \(.+\): export/manifest.json$"):
            parse(content)

    @pytest.mark.parametrize("content", ["[]", "1", '"a"', "null", "true"])
    def test_what_is_no_object_is_refused(self, content: str) -> None:
        with pytest.raises(ManifestError, match=f"^A JSON object is expected in {PATH}$"):
            parse(content)


class TestValues:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [('"a"', "a"), ('" a b "', "a b"), ('""', None), ('"  "', None), ("null", None)],
        ids=["text", "stray spaces", "empty", "spaces alone", "null"],
    )
    def test_text(self, written: str, expected: str | None) -> None:
        assert parse(f'{{"a": {written}}}').text("a") == expected

    @pytest.mark.parametrize(
        ("written", "expected"),
        [("0", 0), ("7", 7), (str(2**62), 2**62), ("null", None)],
        ids=["zero is known", "count", "large count", "null is unknown"],
    )
    def test_count(self, written: str, expected: int | None) -> None:
        assert parse(f'{{"a": {written}}}').count("a") == expected

    @pytest.mark.parametrize(
        ("read", "written"),
        [
            *(
                (JsonObject.text, text)
                for text in ("1", "true", "[]", "{}", '"\\ud800"', '"a\\u0000b"', '"\\u001b[2J"')
            ),
            *((JsonObject.count, text) for text in ("true", "false", "-1", "1.0", '"1"', "1e400")),
            (JsonObject.count, str(2**63)),
            (JsonObject.count, "9" * 4000),
            *((JsonObject.time, text) for text in ("1", '"soon"', '"2025-13-01"', '"10/01/2025"')),
            (JsonObject.time, '"0001-01-01T00:00:00+23:59"'),
            (JsonObject.time, '"9999-12-31T23:59:59-23:59"'),
            (JsonObject.child, "[]"),
            (JsonObject.child, '"a"'),
            (JsonObject.texts, '"a"'),
            (JsonObject.texts, "{}"),
        ],
    )
    def test_error_names_file_and_key(
        self, read: Callable[[JsonObject, str], object], written: str
    ) -> None:
        inner = parse(f'{{"outer": {{"a": {written}}}}}').child("outer")
        assert inner is not None

        with pytest.raises(ManifestError) as caught:
            read(inner, "a")

        assert (caught.value.path, caught.value.key) == (PATH, "outer.a")
        assert str(caught.value).endswith(f"in 'outer.a' of {PATH}")
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("absent", ["{}", '{"a": null}'], ids=["absent", "null"])
    def test_what_is_absent_is_none_or_empty(self, absent: str) -> None:
        found = parse(absent)

        assert [found.text("a"), found.count("a"), found.time("a"), found.child("a")] == [None] * 4
        assert list(found.children("a")) == []
        assert found.texts("a") == ()

    @pytest.mark.parametrize("absent", ["{}", '{"a": null}', '{"a": " "}'])
    def test_required_value_must_be_there(self, absent: str) -> None:
        found = parse(absent)

        with pytest.raises(ManifestError, match=f"^Missing required value in 'a' of {PATH}$"):
            found.required("a", found.text)

    def test_required_count_may_be_zero(self) -> None:
        found = parse('{"a": 0}')

        assert found.required("a", found.count) == 0

    def test_objects_of_a_list_know_their_place(self) -> None:
        found = parse('{"outer": {"a": [{"b": 1}, {"b": "x"}]}}').child("outer")
        assert found is not None

        first, second = found.children("a")

        assert first.count("b") == 1
        with pytest.raises(ManifestError, match=r"'outer\.a\[1\]\.b'"):
            second.count("b")

    def test_what_is_no_object_of_a_list_is_named(self) -> None:
        with pytest.raises(ManifestError, match=r"'a\[1\]' of"):
            list(parse('{"a": [{}, null]}').children("a"))

    def test_texts_of_a_list(self) -> None:
        assert parse('{"a": [" b ", "c"]}').texts("a") == ("b", "c")
        with pytest.raises(ManifestError, match=r"'a\[1\]' of"):
            parse('{"a": ["b", 1]}').texts("a")
        with pytest.raises(ManifestError, match=r"'a\[0\]' of"):
            parse('{"a": ["b\\u0007"]}').texts("a")

    def test_last_of_two_equal_keys_counts(self) -> None:
        assert parse('{"a": 1, "a": 2}').count("a") == 2


class TestTime:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2025-10-01", datetime(2025, 10, 1, tzinfo=UTC)),
            ("20251001", datetime(2025, 10, 1, tzinfo=UTC)),
            ("20251001T0130", datetime(2025, 10, 1, 1, 30, tzinfo=UTC)),
            ("2025-10-01T00:00:00", datetime(2025, 10, 1, tzinfo=UTC)),
            ("2025-10-01T00:00Z", datetime(2025, 10, 1, tzinfo=UTC)),
            ("2025-10-01T00:00:00.000Z", datetime(2025, 10, 1, tzinfo=UTC)),
            ("2025-10-01T02:00:00+02:00", datetime(2025, 10, 1, tzinfo=UTC)),
            (" 2025-10-01T00:00:00Z ", datetime(2025, 10, 1, tzinfo=UTC)),
            (
                "2025-03-21T21:04:06.5234447Z",
                datetime(2025, 3, 21, 21, 4, 6, 523444, tzinfo=UTC),
            ),
        ],
        ids=[
            "day",
            "day without dashes",
            "no seconds, no dashes",
            "no zone",
            "no seconds",
            "milliseconds",
            "another zone",
            "stray spaces",
            "seven digits are cut, not rounded",
        ],
    )
    def test_time_is_read_in_utc(self, text: str, expected: datetime) -> None:
        moment = parse_time(text)

        assert moment == expected
        assert moment.tzinfo is UTC


def test_content_of_the_largest_manifest_is_read_in_little_time() -> None:
    blobs = [{"blobName": f"part_{index}_0001.snappy.parquet"} for index in range(10_000)]

    assert len(list(parse(json.dumps({"blobs": blobs})).children("blobs"))) == 10_000
