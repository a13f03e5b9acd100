"""What the errors of the stores' clients mean: rates, rights, and endpoints that do not answer."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError
from gcsfs.retry import HttpError

from cloudbill.errors import StoreError
from cloudbill.store import open_store
from cloudbill.store.faults import client_errors, may_pass, store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLES = ("roles/storage.objectViewer", "s3:ListBucket", "Storage Blob Data Reader")


def of_s3(code: str, status: int, message: str) -> Exception:
    """An error as s3fs makes it of what botocore raised."""
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    kind = PermissionError if status == 403 else OSError
    error = kind(errno.EBUSY, message)
    error.__cause__ = ClientError(answer, "ListObjectsV2")
    return error


def of_azure(status: int, message: str) -> Exception:
    """An error as azure-core makes it of an answer."""
    error = HttpResponseError(message)
    error.status_code = status
    return error


LIMITED = {
    "gs 429": ("gs", HttpError({"code": 429, "message": "slow"})),
    "gs 403": (
        "gs",
        OSError("Forbidden: https://x/b/bills/o\nIt exceeded the rate limit"),
    ),
    "gs 403 quota": ("gs", OSError("Forbidden: https://x/o\nuserRateLimitExceeded")),
    "s3 503": ("s3", of_s3("SlowDown", 503, "Please reduce your request rate.")),
    "s3 400": ("s3", of_s3("Throttling", 400, "Rate exceeded")),
    "s3 403": ("s3", of_s3("RequestLimitExceeded", 403, "Request limit exceeded.")),
    "az 503": ("az", of_azure(503, "The server is busy.\nErrorCode:ServerBusy")),
    "az 429": ("az", of_azure(429, "wait")),
}
REFUSED = {
    "gs": ("gs", OSError("Forbidden: https://x/b/slowdown/o\nno storage.objects.list")),
    "s3": ("s3", of_s3("AccessDenied", 403, "Access Denied")),
    "az": ("az", of_azure(403, "This request is not authorized")),
}


def told(scheme: str, error: Exception) -> str:
    """What a person is told of an error."""
    with (
        pytest.raises(StoreError) as caught,
        store_errors("x://bills", *client_errors(scheme), scheme=scheme),
    ):
        raise error
    return str(caught.value)


class TestRates:
    @pytest.mark.parametrize(("scheme", "error"), LIMITED.values(), ids=list(LIMITED))
    def test_a_limit_of_the_rate_is_tried_again_and_is_no_missing_right(
        self, scheme: str, error: Exception
    ) -> None:
        assert may_pass(error, scheme)
        text = told(scheme, error)
        assert "limits the rate of requests" in text
        assert "no right is missing" in text
        assert not any(role in text for role in ROLES)

    @pytest.mark.parametrize(("scheme", "error"), REFUSED.values(), ids=list(REFUSED))
    def test_a_missing_right_is_not_tried_again_and_names_the_role(
        self, scheme: str, error: Exception
    ) -> None:
        assert not may_pass(error, scheme)
        assert any(role in told(scheme, error) for role in ROLES)
        # A key that is wrong is refused in the same way.
        assert "Or the credentials are wrong: " in told(scheme, error)
        assert ("(AccessDenied)" in told(scheme, error)) == (scheme == "s3")


class TestEndpoints:
    @pytest.mark.parametrize(
        ("scheme", "error"),
        [
            ("s3", EndpointConnectionError(endpoint_url="http://127.0.0.1:9")),
            ("az", ServiceRequestError("Cannot connect to host 127.0.0.1:9")),
            ("gs", ConnectionRefusedError(errno.ECONNREFUSED, "refused")),
        ],
    )
    def test_an_endpoint_that_refuses_is_tried_again_and_named(
        self, scheme: str, error: Exception
    ) -> None:
        assert may_pass(error, scheme)
        assert "nothing answers at the endpoint of the store" in told(scheme, error)

    def test_a_certificate_that_is_refused_is_not_tried_again(self) -> None:
        error = SSLError(endpoint_url="https://x", error=ssl.SSLError("CERTIFICATE_VERIFY_FAILED"))
        assert not may_pass(error, "s3")
        assert "nothing answers" not in told("s3", error)

    @pytest.mark.usefixtures("own_dlt")
    @pytest.mark.parametrize("scheme", ["gs", "s3"])
    def test_the_clients_themselves_say_so_after_more_than_one_try(
        self,
        scheme: str,
        closed_port: int,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        url = f"http://127.0.0.1:{closed_port}"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "ENDPOINT_URL": url}
        for name, value in keys.items():
            monkeypatch.setenv(f"SOURCES__AZURE_BILLING__CREDENTIALS__{name}", value)
        store = open_store(
            f"{scheme}://bills", sections=("sources", "azure_billing"), retry_for_s=1.0
        )
        with caplog.at_level(logging.WARNING), pytest.raises(StoreError, match="nothing answers"):
            list(store.list("x/"))
        assert "trying again" in caplog.text


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine at which nothing answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
