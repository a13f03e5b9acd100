"""A network of a known speed before a server of this machine, which counts what passes."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import unquote, urlsplit

__all__ = ["Proxy", "Seen", "most_at_once"]

_HOST: Final = "127.0.0.1"
_CHUNK: Final = 256 * 1024
_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request; seconds are of one clock."""

    method: str
    path: str
    query: str
    range: str | None
    request: bytes
    response_bytes: int
    began: float
    ended: float

    @property
    def is_listing(self) -> bool:
        """Whether it asks for a page of the objects of a bucket."""
        return self.method == "GET" and self.path.endswith("/o")

    def reads(self, ending: str) -> bool:
        """Whether it asks for the content of an object whose name ends so."""
        content = "alt=media" in self.query or self.path.startswith("/download/")
        return self.method == "GET" and content and self.path.endswith(ending)


class Proxy:
    """Forwards to `upstream`, each answer after `latency_s`, all of them sharing one bandwidth."""

    def __init__(
        self, upstream: str, *, latency_s: float = 0.0, bytes_per_s: float | None = None
    ) -> None:
        self.host = urlsplit(upstream).netloc
        self.upstream = upstream
        self.latency_s = latency_s
        self.bytes_per_s = bytes_per_s
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._free_at = 0.0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address to use in place of the server's."""
        return f"http://{_HOST}:{self._server.server_port}"

    def take(self) -> list[Seen]:
        """What passed since it was last asked."""
        with self._lock:
            seen, self.seen = self.seen, []
        return seen

    def note(self, seen: Seen) -> None:
        """Writes a request down."""
        with self._lock:
            self.seen.append(seen)

    def delay(self, method: str, path: str, body: bytes) -> float:  # noqa: ARG002
        """More seconds that a request takes; others than none in a subclass."""
        return 0.0

    def wait_for(self, size: int) -> None:
        """Until the line has carried so many bytes more."""
        if self.bytes_per_s is None:
            return
        with self._lock:
            now = time.perf_counter()
            self._free_at = max(self._free_at, now) + size / self.bytes_per_s
            pause = self._free_at - now
        time.sleep(pause)


def most_at_once(seen: list[Seen]) -> int:
    """How many of these requests were under way at one time."""
    changes = sorted([(one.began, 1) for one in seen] + [(one.ended, -1) for one in seen])
    most = running = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__((_HOST, 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Keeps quiet of clients that went away, as a process does when it ends."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def _forward(self) -> None:
        proxy = self.server.proxy
        began = time.perf_counter()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(proxy.latency_s + proxy.delay(self.command, self.path, body))
        with suppress(ConnectionError):
            sent = self._pass_on(proxy, body)
            path, _, query = self.path.partition("?")
            seen = Seen(
                method=self.command,
                path=unquote(path),
                query=query,
                range=self.headers.get("Range"),
                request=body,
                response_bytes=sent,
                began=began,
                ended=time.perf_counter(),
            )
            proxy.note(seen)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815

    def _pass_on(self, proxy: Proxy, body: bytes) -> int:
        """Bytes of the answer's body."""
        connection = http.client.HTTPConnection(proxy.host, timeout=120)
        try:
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in _HOP
            }
            headers["Content-Length"] = str(len(body))
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            length = answer.getheader("Content-Length")
            kept = [(key, text) for key, text in answer.getheaders() if key.lower() not in _HOP]
            for name, value in kept:
                self.send_header(name, value.replace(proxy.upstream, proxy.url))
            return self._answer(proxy, answer, length)
        finally:
            connection.close()

    def _answer(self, proxy: Proxy, answer: http.client.HTTPResponse, length: str | None) -> int:
        if length is None:
            content = answer.read()
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return len(content)
        self.send_header("Content-Length", length)
        self.end_headers()
        sent = 0
        while self.command != "HEAD" and (chunk := answer.read(_CHUNK)):
            proxy.wait_for(len(chunk))
            self.wfile.write(chunk)
            sent += len(chunk)
        return sent
