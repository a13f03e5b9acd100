"""Plain requests to a server of this machine."""

from __future__ import annotations

import http.client
import socket
from typing import Self

HOST = "127.0.0.1"
DEADLINE_S = 20.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Connection:
    """One connection, kept for many requests."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._headers = headers or {}
        self._http = http.client.HTTPConnection(HOST, port, timeout=DEADLINE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the answer, which must be a success."""
        self._http.request(method, path, body, self._headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return text
