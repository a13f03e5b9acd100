"""A proxy that stands before a server, writes down what passes, and breaks what it is told to."""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from emulators.connection import DEADLINE_S, HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Headers = list[tuple[str, str]]

# They belong to one connection; each side of the proxy has its own.
_HOP_HEADERS = ("connection", "keep-alive", "transfer-encoding", "content-length")
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with an error instead of asking the server."""

    code: int
    reason: str = "backendError"


@dataclass(frozen=True, slots=True)
class ResetBefore:
    """Reset the connection; the server never sees the request."""


@dataclass(frozen=True, slots=True)
class ResetAfter:
    """Let the server do the work, and reset the connection instead of answering."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send this many bytes of the body, and reset the connection."""

    keep: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait, and then ask the server as usual."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the body of the answer."""

    change: Callable[[bytes], bytes]


Action = Status | ResetBefore | ResetAfter | Truncate | Delay | Edit


@dataclass(slots=True, kw_only=True)
class Rule:
    """Does ``action`` to the next ``times`` requests that match; None is for ever."""

    method: str
    path: re.Pattern[str]
    body: re.Pattern[bytes] | None
    action: Action
    times: int | None
    hits: int = 0

    def matches(self, method: str, path: str, body: bytes) -> bool:
        """Whether the rule is for this request, and not used up."""
        return (
            (self.times is None or self.hits < self.times)
            and self.method in (method, "*")
            and self.path.search(path) is not None
            and (self.body is None or self.body.search(body) is not None)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, and what was answered."""

    method: str
    path: str
    query: str
    range: str | None
    status: int | None  # None: the connection was reset
    action: str | None  # the name of the action, if a rule fired
    request_bytes: int
    response_bytes: int


@dataclass(slots=True, kw_only=True)
class _Answer:
    status: int
    headers: Headers
    body: bytes


@dataclass(slots=True)
class FaultProxy:
    """Forwards to ``upstream``; the rule that was added first wins."""

    upstream: str
    log: list[Exchange] = field(default_factory=list)
    _rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: _Server = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="fault-proxy", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to use in place of the server's."""
        return f"http://{HOST}:{self._server.server_port}"

    def add(
        self,
        method: str,
        path: str,
        action: Action,
        *,
        times: int | None = 1,
        body: str | None = None,
    ) -> Rule:
        """Add a rule for requests whose path and query, and body, match these expressions."""
        rule = Rule(
            method=method,
            path=re.compile(path),
            body=re.compile(body.encode()) if body else None,
            action=action,
            times=times,
        )
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget the rules and the log."""
        with self._lock:
            self._rules.clear()
            self.log.clear()

    def bytes_read(self, path: str = "") -> int:
        """Bytes of all answers to GET requests whose path matches."""
        with self._lock:
            return sum(
                seen.response_bytes
                for seen in self.log
                if seen.method == "GET" and re.search(path, seen.path)
            )

    def stop(self) -> None:
        """End the proxy and its connections."""
        self._server.shutdown()
        self._server.reset_connections()
        self._server.server_close()
        self._thread.join(DEADLINE_S)

    def _take(self, method: str, path: str, body: bytes) -> Action | None:
        """The action of the first rule that matches, which is one hit nearer to its end."""
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, path, body):
                    rule.hits += 1
                    return rule.action
        return None

    def _note(self, exchange: Exchange) -> None:
        with self._lock:
            self.log.append(exchange)


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, 0), _Handler)

    def reset_connections(self) -> None:
        """End the connections that clients keep open."""
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Keep quiet: the proxy has its log."""

    def _handle(self) -> None:
        with suppress(ConnectionError):  # a client that went away
            body = self._request_body()
            self._act(body, self.server.proxy._take(self.command, self.path, body))  # noqa: SLF001

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815

    def _request_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def _act(self, body: bytes, action: Action | None) -> None:
        """Do what the action says; without one, pass the request on."""
        match action:
            case ResetBefore():
                self._note(body, action, None)
                self._reset()
                return
            case Status():
                self._answer(body, action, _error(action.code, action.reason))
                return
            case Delay():
                time.sleep(action.seconds)
            case _:
                pass
        answer = self._forward(body)
        match action:
            case ResetAfter():
                self._note(body, action, None)
                self._reset()
            case Truncate():
                self._truncate(body, action, answer)
            case Edit():
                answer.body = action.change(answer.body)
                self._answer(body, action, answer)
            case _:
                self._answer(body, action, answer)

    def _forward(self, body: bytes) -> _Answer:
        """Ask the server; the body of its answer is taken as it is, gzip and all."""
        host = urlsplit(self.server.proxy.upstream).netloc
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_HEADERS
        }
        connection = http.client.HTTPConnection(host, timeout=DEADLINE_S)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            upstream = connection.getresponse()
            return _Answer(
                status=upstream.status, headers=upstream.getheaders(), body=upstream.read()
            )
        except (OSError, http.client.HTTPException) as error:
            return _error(http.client.BAD_GATEWAY, str(error))
        finally:
            connection.close()

    def _answer(self, request: bytes, action: Action | None, answer: _Answer) -> None:
        self._note(request, action, answer)
        self._send_headers(answer)
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _truncate(self, request: bytes, action: Truncate, answer: _Answer) -> None:
        """Announce the whole body, and send its beginning."""
        kept = answer.body[: action.keep]
        sent = _Answer(status=answer.status, headers=answer.headers, body=kept)
        self._note(request, action, sent)
        self._send_headers(answer)
        self.wfile.write(kept)
        self._reset(abruptly=False)

    def _send_headers(self, answer: _Answer) -> None:
        length = str(len(answer.body))
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value  # of the body that a GET would bring
            elif name.lower() == "location":
                self.send_header(name, value.replace(self.server.proxy.upstream, self._url()))
            elif name.lower() not in _HOP_HEADERS:
                self.send_header(name, value)
        if answer.status not in _WITHOUT_BODY:
            self.send_header("Content-Length", length)
        self.end_headers()

    def _url(self) -> str:
        return self.server.proxy.url

    def _reset(self, *, abruptly: bool = True) -> None:
        """End the connection; abruptly is by RST, which may overtake bytes already sent."""
        if abruptly:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        self.close_connection = True

    def _note(self, request: bytes, action: Action | None, answer: _Answer | None) -> None:
        """Write it down, before the client can know of it."""
        path, _, query = self.path.partition("?")
        self.server.proxy._note(  # noqa: SLF001
            Exchange(
                method=self.command,
                path=path,
                query=query,
                range=self.headers.get("Range"),
                status=answer.status if answer else None,
                action=type(action).__name__ if action else None,
                request_bytes=len(request),
                response_bytes=len(answer.body) if answer else 0,
            )
        )


def _error(code: int, reason: str) -> _Answer:
    """An error in the shape of Google's JSON APIs."""
    message = f"Injected {reason}"
    errors: Sequence[dict[str, str]] = [{"domain": "global", "reason": reason, "message": message}]
    body = {"error": {"code": code, "message": message, "errors": errors}}
    return _Answer(
        status=code,
        headers=[("Content-Type", "application/json; charset=UTF-8")],
        body=json.dumps(body).encode(),
    )
