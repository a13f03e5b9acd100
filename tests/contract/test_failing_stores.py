"""Stores that fail for now: the part is read once more, or the old month is unchanged."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import PartMissingError, StoreError
from cloudbill.store import open_store
from contract.deliveries import AzureWriter
from contract.faulty import (
    AGAIN_BY_AIOHTTP,
    FAULTS,
    NEW,
    OLD,
    RETRY_FOR_S,
    BucketAndDuckDB,
    Faulty,
    attempts,
    point_at,
    requests,
)
from contract.places import Case
from emulators.fault_proxy import (
    Edit,
    FaultProxy,
    Status,
)

if TYPE_CHECKING:
    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator


class TestStoreThatFailsForNow:
    """What a store does not answer, it is asked again."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_month_is_loaded_once_and_whole_into_bigquery(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, fault: str
    ) -> None:
        faulty.case.deliver(NEW)
        listing, manifest, footer = r"/o/?\?.*prefix=", r"manifest\.json", r"part_0_0001"
        rules = [faulty.gcs.add("GET", path, FAULTS[fault]) for path in (listing, manifest, footer)]

        outcome = faulty.case.load()

        assert outcome.exit_code == 0
        assert [rule.hits for rule in rules] == [1, 1, 1]
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.load_jobs()) == 1
        for path in (listing, manifest, footer):
            # What is slow stands in the proxy's log once it was answered.
            assert requests(faulty.gcs, "GET", path) >= 2 or fault == "slow"
        told = attempts(caplog)
        assert len(told) >= 3 or fault in AGAIN_BY_AIOHTTP
        assert all(
            re.match(r"Reading gs://bills/.*: attempt 1 failed \(.+\); trying again in 0", line)
            for line in told
        )

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("scheme", ["gs", "s3"])
    def test_part_is_downloaded_whole_for_duckdb(  # noqa: PLR0917
        self,
        request: pytest.FixtureRequest,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        proxy: Callable[[str], FaultProxy],
        scheme: str,
        fault: str,
    ) -> None:
        server: GcsEmulator | S3Emulator = request.getfixturevalue(
            "gcs" if scheme == "gs" else "s3"
        )
        between = proxy(server.url)
        point_at(scheme, between.url, monkeypatch)
        place = BucketAndDuckDB(server, f"{scheme}://bills", tmp_path / "bills.duckdb")
        case = Case(place=place, writer=AzureWriter(), scratch=tmp_path)  # type: ignore[arg-type]
        case.deliver(NEW)
        # The object itself: gcsfs also lists what lies below it, and gets by without an answer.
        paths = [r"^[^?]*part_1_0001", *([r"list-type=2"] if scheme == "s3" else [])]
        rules = [between.add("GET", path, FAULTS[fault]) for path in paths]

        outcome = case.load()

        assert (outcome.exit_code, {rule.hits for rule in rules}) == (0, {1})
        assert place.costs() == ["2", "3"]
        assert requests(between, "GET", r"part_1_0001") >= 2 or fault == "slow"
        told = attempts(caplog)
        assert told or fault in AGAIN_BY_AIOHTTP
        # On a busy machine another request may be told as well.
        assert any("part_1_0001" in line for line in told) or fault in AGAIN_BY_AIOHTTP

    def test_part_that_comes_shorter_than_it_was_listed_is_read_again(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        # Whole to HTTP, for the length of the answer is stated shorter too.
        rule = faulty.gcs.add("GET", r"manifest\.json", Edit(lambda body: body[:-5]))

        assert (faulty.case.load().exit_code, rule.hits) == (0, 1)
        (line,) = attempts(caplog)
        assert re.search(r"TruncatedError: \d+ of \d+ bytes arrived", line)

    def test_store_that_stays_away_is_an_error_in_bounded_time(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("contract.faulty.RETRY_FOR_S", "3")
        faulty.gcs.add("GET", r"/o/?\?", Status(503), times=None)
        started = time.monotonic()

        outcome = faulty.case.load()

        assert isinstance(outcome.error, StoreError)
        assert "run again" in str(outcome.error)
        assert len(attempts(caplog)) >= 3
        assert time.monotonic() - started < float(RETRY_FOR_S) + 5

    @pytest.mark.parametrize("code", [401, 403])
    def test_missing_permission_is_asked_once_and_names_the_role(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture, code: int
    ) -> None:
        rule = faulty.gcs.add("GET", r"/o/?\?", Status(code, "forbidden"), times=None)

        outcome = faulty.case.load()

        assert "needs roles/storage.objectViewer on the bucket" in str(outcome.error)
        assert (rule.hits, attempts(caplog)) == (1, [])

    def test_missing_permission_on_s3_names_the_actions(
        self,
        s3: S3Emulator,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        proxy: Callable[[str], FaultProxy],
    ) -> None:
        between = proxy(s3.url)
        point_at("s3", between.url, monkeypatch)
        place = BucketAndDuckDB(s3, "s3://bills", tmp_path / "bills.duckdb")
        case = Case(place=place, writer=AzureWriter(), scratch=tmp_path)  # type: ignore[arg-type]
        rule = between.add("GET", r"list-type=2", Status(403, "AccessDenied"), times=None)

        assert "s3:ListBucket" in str(case.load().error)
        assert rule.hits == 1

    @pytest.mark.parametrize("read", ["list", "read", "tail", "download"])
    def test_azure_is_asked_once_an_attempt(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        proxy: Callable[[str], FaultProxy],
        read: str,
    ) -> None:
        # No server of Azure's runs here, so the proxy answers all by itself.
        between = proxy("http://127.0.0.1:9")
        between.add("*", ".", Status(503), times=None)
        connection = (
            "DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=c2VjcmV0LWtleQ==;"
            f"BlobEndpoint={between.url}/acme;"
        )
        options = json.dumps({"connection_string": connection})
        monkeypatch.setenv("SOURCES__AZURE_BILLING__KWARGS", options)
        for name, value in {"ACCOUNT_NAME": "acme", "ACCOUNT_KEY": "c2VjcmV0LWtleQ=="}.items():
            variable = f"SOURCES__AZURE_BILLING__CREDENTIALS__AZURE_STORAGE_{name}"
            monkeypatch.setenv(variable, value)
        store = open_store(
            "az://bills", sections=("sources", "azure_billing"), retry_for_s=float(RETRY_FOR_S) / 4
        )
        calls: dict[str, Callable[[], object]] = {
            "list": lambda: list(store.list("a/")),
            "read": lambda: store.read("a/b"),
            "tail": lambda: store.read_tail("a/b", 8),
            "download": lambda: store.download("a/b", tmp_path / "part"),
        }

        with pytest.raises(StoreError, match="run again") as raised:
            calls[read]()

        # A listing asks first whether the folder is a blob.
        each = 2 if read == "list" else 1
        told = len(attempts(caplog))
        # The last attempt may find that its time is over before it begins.
        assert len(between.log) in {each * told, each * (told + 1)}
        assert told >= 2
        assert "c2VjcmV0" not in str(raised.value) + caplog.text

    def test_traceback_of_the_client_is_not_logged(
        self, faulty: Faulty, caplog: pytest.LogCaptureFixture
    ) -> None:
        faulty.case.deliver(NEW)
        faulty.gcs.add("GET", "manifest", Status(400, "bad"), times=None)

        assert faulty.case.load().exit_code == StoreError.exit_code
        assert [record for record in caplog.records if record.exc_info] == []
        assert [record for record in caplog.records if record.name == "gcsfs"] == []


class TestPartsThatVanish:
    """An export that overwrites its runs takes parts away; what is there instead is loaded."""

    def test_month_is_looked_at_again_and_the_run_that_is_there_is_loaded(
        self, faulty: Faulty
    ) -> None:
        faulty.case.deliver(OLD)
        written = faulty.case.write(OLD)
        overwritten = threading.Event()

        def overwrite() -> None:
            """Between the listing and the reading of the parts."""
            for part in written.parts:
                faulty.case.place.remove(str(part.relative_to(written.folder)))
            manifest = str(written.manifest.relative_to(written.folder))
            faulty.case.place.remove(manifest)
            faulty.case.deliver(NEW)
            overwritten.set()

        act_once(faulty, overwrite)
        outcome = faulty.case.load()

        assert overwritten.is_set()
        assert (outcome.exit_code, outcome.failures) == (0, ())
        assert faulty.case.held() == list(NEW.charges)
        assert len(faulty.case.tracked()) == 1

    def test_part_that_stays_away_is_reported_once_and_the_old_month_stands(
        self, faulty: Faulty
    ) -> None:
        faulty.case.deliver(OLD)
        faulty.case.load()
        faulty.case.deliver(NEW)
        faulty.gcs.add("GET", r"new.*part_1_0001", Status(404, "notFound"), times=None)
        faulty.case.events.clear()

        (failure,) = faulty.case.load().failures

        assert isinstance(failure.error, PartMissingError)
        assert [event for event in faulty.case.events if event == failure] == [failure]
        assert faulty.case.held() == list(OLD.charges)


def act_once(faulty: Faulty, act: Callable[[], None]) -> None:
    """Does something when the month is about to be loaded."""
    listen = faulty.case.events.append

    class Events(list):  # type: ignore[type-arg]
        def append(self, event: object) -> None:
            if type(event).__name__ == "LoadStarted" and not any(
                type(seen).__name__ == "LoadStarted" for seen in self
            ):
                act()
            super().append(event)

    assert callable(listen)
    faulty.case.events = Events()


def test_retries_are_logged_as_warnings(faulty: Faulty, caplog: pytest.LogCaptureFixture) -> None:
    faulty.gcs.add("GET", r"/o/?\?", Status(503))
    faulty.case.load()

    levels = {
        record.levelno for record in caplog.records if "trying again in" in record.getMessage()
    }
    assert levels == {logging.WARNING}
