"""The message: a title of one line, a text for a chat, and a document without secrets."""

from __future__ import annotations

from dataclasses import replace

from cloudbill.alerts.memory import Found, Memory, decide
from cloudbill.alerts.messages import Message, message_of
from documents import ALERT, require_fit
from unit.alerts.test_memory import ALL, HELD, MOVED, NOW, STALE


def message(*alerts: object, before: Memory | None = None) -> Message:
    """The message about some alerts that last."""
    lasting = tuple(one for one in alerts if isinstance(one, type(HELD)))
    scopes = ALL
    telling = decide(before or Memory(), Found(lasting=lasting, judged=scopes), NOW)
    return message_of(telling, command="cloudbill load all", exit_code=6, now=NOW)


class TestText:
    def test_one_reason_is_in_the_title_with_its_source_and_month(self) -> None:
        one = message(HELD)
        assert one.title == "azure_billing 2025-10: held"
        assert one.text.splitlines() == [
            "azure_billing 2025-10: held",
            "- azure_billing 2025-10, held: Run a is held",
            "  Next: cloudbill accept 2025-10",
            "`cloudbill load all` ended with exit code 6",
        ]

    def test_several_are_counted_by_what_is_the_matter(self) -> None:
        other = replace(HELD, run_id="b")
        title = message(HELD, other, STALE).title
        assert title == "cloudbill: 3 things to look at (2 held, 1 stale)"

    def test_what_was_told_and_what_has_ended_is_said_to_be_so(self) -> None:
        before = Memory(told_at=NOW, lasting={HELD.key: HELD, MOVED.key: MOVED})
        text = message(HELD, STALE, before=before).text
        assert "- azure_billing 2025-10, held (still): Run a is held" in text
        assert "- over: azure_billing 2025-10, moved after it had closed, run a" in text

    def test_that_all_is_well_names_what_it_was(self) -> None:
        before = Memory(told_at=NOW, lasting={HELD.key: HELD})
        assert message(before=before).title == (
            "cloudbill: all is well again with azure_billing 2025-10"
        )

    def test_a_text_stays_short_and_the_document_has_all(self) -> None:
        many = [replace(HELD, run_id=str(number), message="x" * 5000) for number in range(50)]
        one = message(*many)
        assert len(one.text) < 20_000
        assert "and 30 more, which `cloudbill status --check` has" in one.text
        assert len(require_fit(ALERT, one.document)["reasons"]) == 50

    def test_names_of_the_data_forge_no_line_and_no_secret_is_told(self) -> None:
        bad = replace(
            HELD, run_id="a\nb\x1b[2J", message="sig=S1GNATURE \x1b[2J\nmore", next="x\ny"
        )
        one = message(bad)
        assert len(one.text.splitlines()) == 4
        assert "\x1b" not in one.text + one.title
        document = require_fit(ALERT, one.document)
        assert "S1GNATURE" not in one.text + one.document
        assert document["reasons"][0]["message"] == "sig=[redacted] \\x1b[2J\nmore"
