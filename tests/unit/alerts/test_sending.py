"""What destinations get, and what is said where they do not: by real servers and programs."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from cloudbill.alerts import sending
from cloudbill.alerts.messages import Sender
from cloudbill.alerts.messages import test_message as message_to_test
from cloudbill.alerts.sending import Answer, send
from cloudbill.disk.installation import adding_extra
from cloudbill.periods import utc_now
from cloudbill.settings.destinations import read_destinations
from documents import ALERT, require_fit
from listeners import Listener, certificate, listening

PATH = "/hooks/T0KENSECRET?key=QUERYSECRET"


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_WAITS_S", (0.0, 0.0))
    for variable in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)


def sent_to(address: str) -> Answer:
    """Sends a test message; whatever comes back names no secret of the address."""
    (destination,) = read_destinations(address)
    answer = send(destination, message_to_test(utc_now(), Sender(host="h", folder="/bills")))
    for secret in ("T0KENSECRET", "QUERYSECRET", "PASSWORD", "ARGUMENT"):
        assert secret not in answer.words + destination.title + repr(destination)
    return answer


class TestWeb:
    def test_one_document_is_posted(self, listener: Listener) -> None:
        assert sent_to(listener.url + PATH) == Answer(is_well=True, words="answered 200")
        (body,), (headers,) = listener.bodies, listener.headers
        assert require_fit(ALERT, body.decode())["kind"] == "test"
        assert headers["path"] == PATH
        assert headers["Content-Type"].startswith("application/json")
        assert headers["User-Agent"].startswith("cloudbill/")

    def test_a_password_in_the_address_is_sent_as_one(self, listener: Listener) -> None:
        assert sent_to(listener.url.replace("//", "//user:PASSWORD@")).is_well
        assert listener.headers[0]["Authorization"].startswith("Basic ")

    def test_a_server_that_fails_is_asked_three_times(self, listener: Listener) -> None:
        listener.answers, listener.body = [500], b"no such hook T0KENSECRET"
        answer = sent_to(listener.url + PATH)
        assert answer == Answer(is_well=False, words="answered 500: no such hook [redacted]")
        assert len(listener.bodies) == 3

    def test_a_server_that_recovers_has_it(self, listener: Listener) -> None:
        listener.answers = [503, 204]
        assert sent_to(listener.url).is_well
        assert len(listener.bodies) == 2

    def test_who_is_refused_does_not_ask_again(self, listener: Listener) -> None:
        listener.answers = [403]
        assert sent_to(listener.url + PATH).words == "answered 403"
        assert len(listener.bodies) == 1

    def test_no_redirect_is_followed(self, listener: Listener) -> None:
        with listening() as other:
            listener.answers, listener.redirect = [307], f"{other.url}/T0KENSECRET"
            answer = sent_to(listener.url + PATH)
            assert answer.words.startswith("answered 307, a redirect to http://127.0.0.1,")
            assert not other.bodies
        assert len(listener.bodies) == 1

    def test_a_server_that_hangs_is_given_up_and_not_asked_again(
        self, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sending, "_TIMEOUT_S", 0.3)
        listener.hangs = True
        begun = time.monotonic()
        assert sent_to(listener.url + PATH).words == "gave no answer within 0 s"
        assert time.monotonic() - begun < 5
        assert len(listener.bodies) == 1

    def test_a_server_that_closes_and_one_that_is_not_there(self, listener: Listener) -> None:
        listener.closes = True
        assert sent_to(listener.url + PATH).words.startswith("could not be reached")
        with listening() as gone:
            pass
        answer = sent_to(gone.url + PATH)
        assert answer.words == "could not be reached: Connection refused"

    def test_a_certificate_that_nobody_vouches_for_is_not_accepted(self, tmp_path: Path) -> None:
        with listening(certificate(tmp_path)) as listener:
            answer = sent_to(listener.url + PATH)
            assert answer.words == "its certificate was not accepted: self-signed certificate"
            assert not listener.bodies

    def test_a_host_that_does_not_exist_is_said_to(self) -> None:
        answer = sent_to("https://no-such-host.invalid/T0KENSECRET")
        assert not answer.is_well
        assert answer.words.startswith("could not be reached: ")


class TestCommand:
    def test_a_program_gets_the_document_as_its_input_and_no_shell_reads_it(
        self, tmp_path: Path
    ) -> None:
        got = tmp_path / "got it.json"
        code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read()); print('noise')"
        words = f"command:{sys.executable} -c \"{code}\" '{got}' $HOME"
        assert sent_to(words) == Answer(is_well=True, words="ended with 0")
        assert require_fit(ALERT, got.read_text())["title"] == "cloudbill: a test message"

    def test_of_a_program_that_fails_no_word_is_shown_for_it_may_be_a_secret(self) -> None:
        answer = sent_to("command:sh -c 'echo oops ARGUMENT >&2; exit 3'")
        assert answer == Answer(is_well=False, words="ended with 3")

    def test_a_program_that_reads_nothing_has_ended_well(self) -> None:
        assert sent_to("command:true ARGUMENT").is_well

    def test_a_program_that_is_not_there(self) -> None:
        answer = sent_to("command:/nowhere/at/all ARGUMENT")
        assert answer.words == "cannot be started: No such file or directory"

    def test_a_program_that_hangs_is_ended_with_all_that_it_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sending, "_COMMAND_S", 0.4)
        late = tmp_path / "late"
        answer = sent_to(f"command:sh -c '(sleep 1; touch {late}) & sleep 60'")
        assert answer.words == "had not ended after 0 s, and was ended"
        time.sleep(1)
        assert not late.exists()

    def test_what_a_program_leaves_behind_is_not_waited_for(self) -> None:
        begun = time.monotonic()
        assert sent_to("command:sh -c 'sleep 20 >&2 & exit 0'").is_well
        assert time.monotonic() - begun < 10


class TestApprise:
    def test_apprise_sends_title_and_text(self, listener: Listener) -> None:
        address = listener.url.replace("http://", "json://")
        assert sent_to(f"{address}/T0KENSECRET").words == "apprise sent it"
        got = json.loads(listener.bodies[0])
        assert got["title"] == "cloudbill: a test message"
        assert got["message"].startswith("A test: nothing is wrong.")

    def test_what_apprise_says_is_told_and_no_address_is_logged(
        self, listener: Listener, capfd: pytest.CaptureFixture[str]
    ) -> None:
        listener.answers = [500]
        address = listener.url.replace("http://", "json://user:PASSWORD@")
        answer = sent_to(f"{address}/T0KENSECRET")
        assert answer.words.startswith("apprise could not send it: Failed to send JSON POST")
        assert capfd.readouterr() == ("", "")

    def test_apprise_follows_no_redirect(self, listener: Listener) -> None:
        with listening() as other:
            listener.answers, listener.redirect = [307], f"{other.url}/T0KENSECRET"
            assert not sent_to(listener.url.replace("http://", "json://")).is_well
            assert not other.bodies

    def test_a_scheme_that_apprise_does_not_know(self, capfd: pytest.CaptureFixture[str]) -> None:
        answer = sent_to("nosuchservice://T0KENSECRET/x")
        assert answer.words == "is no URL that apprise understands"
        assert capfd.readouterr() == ("", "")

    def test_without_the_extra_it_is_said_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "apprise", None)
        words = sent_to("slack://T0KENSECRET/x").words
        assert f"not installed: run {adding_extra('apprise')}, or" in words
