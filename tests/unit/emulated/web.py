"""Requests without a client."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, cast

from emulators.fault_proxy import (
    FaultProxy,
)

if TYPE_CHECKING:
    from emulators.gcs import GcsEmulator


def get(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return cast("bytes", answer.read())
    except urllib.error.HTTPError as failure:
        failure.close()
        raise


def listed(gcs: GcsEmulator) -> dict[str, dict[str, Any]]:
    body = json.loads(get(f"{gcs.url}/storage/v1/b/billing/o"))
    return {item["name"]: item for item in (body or {}).get("items") or []}


def send(proxy: FaultProxy, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
