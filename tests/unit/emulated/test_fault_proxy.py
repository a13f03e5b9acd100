"""The proxy makes the faults that tests ask for."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from emulators.fault_proxy import (
    Delay,
    Edit,
    FaultProxy,
    ResetAfter,
    ResetBefore,
    Status,
    Truncate,
)
from unit.emulated.bench import (
    OCTOBER,
    Bench,
    table,
)
from unit.emulated.web import get, listed, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator


class TestFaultProxy:
    @pytest.fixture
    def proxy(self, gcs: GcsEmulator) -> Iterator[FaultProxy]:
        gcs.create_bucket("billing")
        gcs.put("billing", "1.csv", b"0123456789")
        with FaultProxy(gcs.url) as proxy:
            yield proxy

    def read(self, proxy: FaultProxy, **headers: str) -> bytes:
        return get(f"{proxy.url}/storage/v1/b/billing/o/1.csv?alt=media", **headers)

    def test_it_passes_and_writes_down_what_is_read(self, proxy: FaultProxy) -> None:
        assert self.read(proxy, Range="bytes=2-5") == b"2345"
        assert self.read(proxy) == b"0123456789"
        first, second = proxy.log
        assert (first.method, first.path) == ("GET", "/storage/v1/b/billing/o/1.csv")
        assert (first.query, first.range, first.status) == ("alt=media", "bytes=2-5", 206)
        assert (first.action, first.response_bytes, second.range) == (None, 4, None)
        assert proxy.bytes_read(r"/1\.csv$") == 14
        proxy.clear()
        assert proxy.log == []

    def test_it_answers_with_an_error_as_often_as_told(self, proxy: FaultProxy) -> None:
        rule = proxy.add("GET", r"/o/1\.csv", Status(429, "rateLimitExceeded"), times=2)
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="429"):
                self.read(proxy)
        assert self.read(proxy) == b"0123456789"
        assert rule.hits == 2
        assert [seen.action for seen in proxy.log] == ["Status", "Status", None]

    def test_it_resets_before_the_server_knows(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("DELETE", r"/o/1\.csv", ResetBefore())
        with pytest.raises(ConnectionError):
            send(proxy, "DELETE", "/storage/v1/b/billing/o/1.csv")
        assert list(listed(gcs)) == ["1.csv"]
        assert proxy.log[0].status is None

    def test_it_resets_after_the_work_is_done(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("*", r"/o/1\.csv", ResetAfter())
        with pytest.raises(ConnectionError):
            send(proxy, "DELETE", "/storage/v1/b/billing/o/1.csv")
        assert listed(gcs) == {}

    def test_it_cuts_a_body_short(self, proxy: FaultProxy) -> None:
        proxy.add("GET", r"/o/1\.csv", Truncate(3))
        with pytest.raises(http.client.IncompleteRead) as caught:
            self.read(proxy)
        assert caught.value.partial == b"012"
        assert proxy.log[0].response_bytes == 3

    def test_it_waits_and_edits(self, proxy: FaultProxy) -> None:
        proxy.add("GET", r"/o/1\.csv", Delay(0.1))
        proxy.add("GET", r"/o/1\.csv", Edit(bytes.upper))
        started = time.perf_counter()
        assert self.read(proxy) == b"0123456789"
        assert time.perf_counter() - started >= 0.1
        proxy.clear()
        proxy.add("GET", "alt=media", Edit(lambda body: body + b"!"))
        assert self.read(proxy) == b"0123456789!"

    def test_a_rule_may_look_at_the_body(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("POST", "/upload", Status(503), body="poison")
        path = "/upload/storage/v1/b/billing/o?uploadType=media&name=2"
        assert send(proxy, "POST", path, b"poison")[0] == 503
        assert send(proxy, "POST", path, b"bread")[0] == 200
        assert list(listed(gcs)) == ["1.csv", "2"]
        assert proxy.log[-1].request_bytes == 5

    def test_a_head_keeps_the_length_of_the_body(self, proxy: FaultProxy, s3: S3Emulator) -> None:
        s3.create_bucket("billing")
        s3.put("billing", "1", b"hello")
        with FaultProxy(s3.url) as before_s3:
            connection = http.client.HTTPConnection(before_s3.url.removeprefix("http://"))
            connection.request("HEAD", "/billing/1", headers=s3.signed)
            answer = connection.getresponse()
            assert (answer.getheader("Content-Length"), answer.read()) == ("5", b"")
            connection.close()
        assert proxy.log == []

    def test_chunked_bodies_pass_both_ways(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"))
        path = "/upload/storage/v1/b/billing/o?uploadType=media&name=2"
        chunks = iter([b"ab", b"cde"])
        connection.request("POST", path, chunks, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
        assert (gcs.root / "billing/2").read_bytes() == b"abcde"
        for number in range(40):  # a listing of this size comes in chunks
            gcs.put("billing", f"many/{number}", b"")
        assert len(json.loads(get(f"{proxy.url}/storage/v1/b/billing/o"))["items"]) == 42

    def test_many_clients_are_served_at_once(self, proxy: FaultProxy) -> None:
        # No answer leaves before all eight requests are there.
        together = threading.Barrier(8, timeout=30)

        def wait(body: bytes) -> bytes:
            together.wait()
            return body

        proxy.add("GET", r"/o/1\.csv", Edit(wait), times=None)
        results: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: results.append(self.read(proxy))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [b"0123456789"] * 8
        assert len(proxy.log) == 8

    def test_a_job_whose_answer_was_lost_is_there(self, bench: Bench) -> None:
        uri = bench.month("1.parquet", OCTOBER)
        with FaultProxy(bench.cloud.bigquery.url) as proxy:
            proxy.add("POST", "/jobs", ResetAfter(), body="lost-1")
            body = {
                "jobReference": {"projectId": "bench", "jobId": "lost-1"},
                "configuration": {
                    "load": {
                        "destinationTable": table("t$202510"),
                        "sourceUris": [uri],
                        "sourceFormat": "PARQUET",
                        "decimalTargetTypes": ["BIGNUMERIC"],
                    }
                },
            }
            path = "/bigquery/v2/projects/bench/jobs"
            with pytest.raises(ConnectionError):
                send(proxy, "POST", path, json.dumps(body).encode())
            assert send(proxy, "POST", path, json.dumps(body).encode())[0] == 409
        assert bench.counts() == {"202510": 1}
