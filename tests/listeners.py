"""Servers on this machine that get what alerts send, each with its own manners."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from documents import ALERT, require_fit

__all__ = [
    "TOKEN",
    "Listener",
    "certificate",
    "listening",
    "notify",
    "only",
    "reason",
    "shown",
    "told",
]

TOKEN = "T0KENSECRET"  # noqa: S105
"""What no message may have in it."""


class Listener:
    """A server that keeps every request; `answers` has the status of each, the last one for good.

    `redirect` is where it sends whoever asks, `hangs` says that it never answers, and `closes` that
    it ends the connection instead.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.answers = [200]
        self.body = b""
        self.redirect = ""
        self.hangs = False
        self.closes = False
        self.url = ""
        self.over = threading.Event()

    def texts(self) -> str:
        """All that it got, as text."""
        return b"\n".join(self.bodies).decode()


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            listener.bodies.append(self.rfile.read(length))
            listener.headers.append({**dict(self.headers.items()), "path": self.path})
            if listener.hangs:
                listener.over.wait(30)
            if listener.hangs or listener.closes:
                self.close_connection = True
                return
            code = listener.answers[0]
            if len(listener.answers) > 1:
                del listener.answers[0]
            self.send_response(code)
            if listener.redirect:
                self.send_header("Location", listener.redirect)
            self.send_header("Content-Length", str(len(listener.body)))
            self.end_headers()
            self.wfile.write(listener.body)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            del format, args

    return Handler


@contextmanager
def listening(certificate_file: Path | None = None) -> Iterator[Listener]:
    """A server at a free port, as long as the block runs; with a certificate it speaks TLS."""
    listener = Listener()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(listener))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever left, left
    scheme = "http"
    if certificate_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate_file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    listener.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        listener.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def told(listener: Listener) -> list[dict[str, Any]]:
    """The messages that came since the last call, each of which fits its schema."""
    found = [require_fit(ALERT, body.decode()) for body in listener.bodies]
    assert TOKEN not in listener.texts()
    listener.bodies.clear()
    return found


def only(listener: Listener) -> dict[str, Any]:
    """The one message that came."""
    (message,) = told(listener)
    return message


def reason(message: Mapping[str, Any]) -> dict[str, Any]:
    """The one reason of a message."""
    (found,) = message["reasons"]
    assert isinstance(found, dict)
    return found


def notify(home: Path, *destinations: str) -> None:
    """Writes the key into `secrets.toml`."""
    text = f"[sources]\nnotify = {json.dumps(destinations)}\n"
    (home / ".dlt/secrets.toml").write_text(text)


def shown(home: Path) -> str:
    """The warehouse of the source, as people read it."""
    return f"{home.name}/cloudbill.duckdb billing"


def certificate(folder: Path) -> Path:
    """A certificate that nobody vouches for, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
