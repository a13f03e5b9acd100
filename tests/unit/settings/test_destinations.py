"""The key `notify`: what a destination may be, and what of its address is ever shown."""

from __future__ import annotations

import pytest

from cloudbill.settings.destinations import DestinationKind, read_destinations


class TestReading:
    @pytest.mark.parametrize(
        "value",
        [
            ["https://a.example.com/x", "command:page --now", "slack://a/b/c"],
            '["https://a.example.com/x", "command:page --now", "slack://a/b/c"]',
        ],
    )
    def test_a_list_is_one_of_toml_or_in_a_variable_one_of_json(self, value: object) -> None:
        found = read_destinations(value)
        assert [one.kind for one in found] == [*DestinationKind][:3]
        assert [one.title for one in found] == [
            "https://a.example.com",
            "command:page",
            "slack://",
        ]

    def test_one_text_is_one_destination_and_none_is_nobody(self) -> None:
        assert [one.title for one in read_destinations(" http://h:1/x ")] == ["http://h"]
        assert read_destinations("") == read_destinations([]) == read_destinations([" "]) == ()

    def test_the_same_one_twice_is_told_once(self) -> None:
        assert len(read_destinations(["https://a.example.com/x"] * 2)) == 1

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("SECRET", "destination 1 is neither"),
            (["https://a.example.com", "SECRET x"], "destination 2 is neither"),
            ("https://a b/SECRET", "neither"),
            ("https:///SECRET", "without a host"),
            ("https://a.example.com:SECRET/", "wrong port"),
            ("command:", "no program"),
            ("command:page 'SECRET", "open quote"),
            ('["SECRET', "no list of texts"),
            ([["SECRET"]], "a text, or a list of texts"),
            (7, "a text, or a list of texts"),
        ],
    )
    def test_what_is_no_destination_is_refused_without_quoting_it(
        self, value: object, said: str
    ) -> None:
        with pytest.raises(ValueError, match=said) as raised:
            read_destinations(value)
        assert "SECRET" not in str(raised.value)

    def test_no_more_than_scheme_and_host_is_shown(self) -> None:
        secrets = [
            "https://user:SECRET@hooks.example.com/SECRET?x=SECRET",
            "tgram://SECRET/SECRET",
            "mailto://user:SECRET@example.com",
            "command:/opt/page --token SECRET",
        ]
        found = read_destinations(secrets)
        assert "SECRET" not in repr(found) + " ".join(one.title for one in found)

    def test_words_of_an_address_are_taken_out_of_what_others_say(self) -> None:
        (one,) = read_destinations("https://u:p%40ssword@h.example.com/services/T0/SECRET")
        said = "no hook /services/T0/SECRET at h.example.com for p@ssword"
        assert one.without_secrets(
            said
        ) == "no hook /[redacted]/T0/[redacted] at h.example.com " + ("for [redacted]")
