"""The message: a title of one line, a text for a chat, and a document without secrets."""

from __future__ import annotations

from dataclasses import replace

from cloudbill.alerts.alert import Deployment, Kind, Scope
from cloudbill.alerts.memory import Found, Memory, decide
from cloudbill.alerts.messages import Message, Sender, message_of
from documents import ALERT, require_fit
from unit.alerts.test_memory import ALL, HELD, MOVED, NOW, STALE

SENDER = Sender(host="host", folder="/srv/bills")


def message(*alerts: object, before: Memory | None = None) -> Message:
    """The message about some alerts that last."""
    lasting = tuple(one for one in alerts if isinstance(one, type(HELD)))
    scopes = ALL
    telling = decide(before or Memory(), Found(lasting=lasting, judged=scopes), NOW)
    return message_of(telling, command="cloudbill load all", exit_code=6, now=NOW, sender=SENDER)


class TestText:
    def test_one_reason_is_in_the_title_with_its_source_and_month(self) -> None:
        one = message(HELD)
        assert one.title == "azure_billing 2025-10: held [bills]"
        assert one.text.splitlines() == [
            "- azure_billing 2025-10, held: Run a is held",
            "  Next: cloudbill status azure_billing, then accept or dismiss the run",
            "Found by `cloudbill load all` in /srv/bills on host; it ended with exit code 6",
        ]

    def test_title_and_text_name_the_warehouse_where_there_is_one(self) -> None:
        one = message(replace(HELD, deployment=Deployment(warehouse="acme.billing", what="x")))
        assert one.title == "azure_billing 2025-10: held [acme.billing]"
        assert "in /srv/bills on host, warehouse acme.billing;" in one.text
        document = require_fit(ALERT, one.document)
        assert (document["host"], document["folder"]) == ("host", "/srv/bills")
        assert document["reasons"][0]["warehouse"] == "acme.billing"

    def test_people_read_the_beginning_of_a_run_and_programs_all_of_it(self) -> None:
        run = "0a1b2c3d-0000-4000-8000-000000000001"
        text = f"Run {run} waits. `cloudbill dismiss azure 2025-10 {run}` or --run {run}"
        one = message(replace(HELD, run_id=run, message=text))
        assert f"Run 0a1b2c3d waits. `cloudbill dismiss azure 2025-10 {run}` or --run {run}" in (
            one.text
        )
        assert require_fit(ALERT, one.document)["reasons"][0]["message"] == text

    def test_what_a_load_mended_is_not_told_as_if_it_were_left(self) -> None:
        mended = replace(HELD, kind=Kind.DIFFERS, is_event=True, is_mended=True)
        before = Memory(told_at=NOW, lasting={HELD.key: HELD})
        telling = decide(before, Found(events=(mended,), judged=ALL), NOW)
        one = message_of(telling, command="cloudbill load all", exit_code=0, now=NOW, sender=SENDER)
        assert one.title == (
            "azure_billing 2025-10: was not as recorded, loaded again; all else is well "
            "again [bills]"
        )
        assert one.text.splitlines()[-3:] == [
            "- over: azure_billing 2025-10, held, run a",
            "- all else is well again",
            "Found by `cloudbill load all` in /srv/bills on host",
        ]

    def test_several_are_counted_by_what_is_the_matter(self) -> None:
        other = replace(HELD, run_id="b")
        title = message(HELD, other, STALE).title
        assert title == "cloudbill: 3 things to look at (2 held, 1 stale) [bills]"

    def test_what_was_told_and_what_has_ended_is_said_to_be_so(self) -> None:
        before = Memory(told_at=NOW, lasting={HELD.key: HELD, MOVED.key: MOVED})
        text = message(HELD, STALE, before=before).text
        assert "- azure_billing 2025-10, held (still): Run a is held" in text
        assert "- over: azure_billing 2025-10, moved after it had closed, run a" in text

    def test_that_all_is_well_names_what_it_was(self) -> None:
        before = Memory(told_at=NOW, lasting={HELD.key: HELD})
        assert message(before=before).title == (
            "cloudbill: all is well again with azure_billing 2025-10 [bills]"
        )
        general = replace(HELD, scope=Scope.VIEWS, period=None)
        before = Memory(told_at=NOW, lasting={general.key: general})
        found = Found(judged=frozenset(Scope))
        telling = decide(before, found, NOW)
        one = message_of(telling, command="cloudbill load all", exit_code=0, now=NOW, sender=SENDER)
        assert one.title == "cloudbill: all is well again [bills]"

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
        assert len(one.text.splitlines()) == 3
        assert "\x1b" not in one.text + one.title
        document = require_fit(ALERT, one.document)
        assert "S1GNATURE" not in one.text + one.document
        assert document["reasons"][0]["message"] == "sig=[redacted] \\x1b[2J\nmore"
