"""S3: moto's server, in a thread of this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from moto.server import ThreadedMotoServer

from emulators.connection import HOST, Connection
from emulators.trees import named_files

if TYPE_CHECKING:
    from pathlib import Path


class S3Emulator:
    """The API of S3 on 127.0.0.1, region us-east-1; any credentials are good."""

    # Objects belong to who signed for them; moto does not look at what a signature says.
    signed: ClassVar[dict[str, str]] = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20250101/us-east-1/s3/aws4_request"
    }

    def __init__(self, server: ThreadedMotoServer) -> None:
        self._server = server
        _, self._port = server.get_host_and_port()
        self.url = f"http://{HOST}:{self._port}"

    @classmethod
    def start(cls) -> S3Emulator:
        """Start the server on a free port."""
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
        server.start()
        return cls(server)

    def create_bucket(self, name: str) -> None:
        """Create an empty bucket."""
        self._send("PUT", f"/{name}")

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write one object."""
        self._send("PUT", f"/{bucket}/{quote(name)}", data)

    def delete(self, bucket: str, name: str) -> None:
        """Delete one object."""
        self._send("DELETE", f"/{bucket}/{quote(name)}")

    def upload_tree(self, local: Path, bucket: str, prefix: str = "") -> list[str]:
        """Upload every file below a directory as ``prefix/its/path``, and give the names."""
        files = named_files(local, prefix)
        with Connection(self._port, self.signed) as connection:
            for name, path in files:
                connection.send("PUT", f"/{bucket}/{quote(name)}", path.read_bytes())
        return [name for name, _ in files]

    def reset(self) -> None:
        """Delete every bucket."""
        self._send("POST", "/moto-api/reset")

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def _send(self, method: str, path: str, body: bytes = b"") -> None:
        with Connection(self._port, self.signed) as connection:
            connection.send(method, path, body)
