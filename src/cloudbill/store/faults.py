"""What the errors of the stores' clients mean: which may pass, and what a person can do about each.

Every foreign error of a store is turned into one of ours here.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from cloudbill.errors import PartMissingError, StoreError

__all__ = ["TruncatedError", "client_errors", "is_refused", "may_pass", "store_errors"]

_PASSING_STATUSES: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LIMITING_STATUSES: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE}
)
_LIMITS: Final = (
    "ratelimit",
    "slowdown",
    "serverbusy",
    "toomanyrequest",
    "reduceyourrequestrate",
    "requestlimitexceeded",
    "throttl",
    "usagelimit",
    "quotaexceeded",
)
"""What stores call it, without spaces, in lower case."""
_FORBIDDEN: Final = "Forbidden: "
_TRIED: Final = "It was tried again until 'retry_for_s' was over"
_ROLES: Final[Mapping[str, str]] = {
    "file": "the user that runs this needs permission to read it",
    "gs": "the account needs roles/storage.objectViewer on the bucket",
    "s3": "the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects",
    "az": "the account needs the role 'Storage Blob Data Reader' on the container, or a SAS with "
    "the permissions to read and list",
}
_OTHERWISE: Final[Mapping[str, str]] = {
    "file": "",
    "gs": ". Or the credentials are wrong: those of another account, or no longer valid",
    "s3": ". Or the credentials are wrong: check the access key, its secret and the region",
    "az": ". Or the credentials are wrong: check the account name, and the key or the SAS, which "
    "may have expired",
}
"""A store answers both with 403, and does not always say which it is."""


class TruncatedError(OSError):
    """Fewer bytes arrived than the object has."""


_CUT_OFF: Final = (ConnectionError, TimeoutError, TruncatedError)


def may_pass(error: BaseException, scheme: str) -> bool:
    """Whether the same call may succeed later."""
    if _is_limited(error):
        return True
    status = _status(error)
    if status is not None:
        return status in _PASSING_STATUSES
    return isinstance(error, (*_CUT_OFF, *_passing_errors(scheme))) and not _is_untrusted(error)


@contextmanager
def store_errors(
    address: str, *client_errors: type[Exception], scheme: str = "file"
) -> Iterator[None]:
    """Turns errors of the clients into `StoreError`, with the address and what to do.

    Raises:
        PartMissingError: If there is no such object.
        StoreError: If it cannot be read.
    """
    foreign: tuple[type[Exception], ...] = (OSError, ValueError, *client_errors)
    try:
        yield
    except FileNotFoundError as error:
        raise PartMissingError(f"{address} does not exist; was it replaced meanwhile?") from error
    except foreign as error:
        reason = str(error).strip() or type(error).__name__
        if _is_limited(error):
            raise StoreError(
                f"{address} cannot be read now: the store limits the rate of requests ({reason}). "
                f"{_TRIED}. Run again later, or run fewer jobs on this store at once; no right is "
                "missing"
            ) from error
        if is_refused(error):
            code = _code(error)
            said = f" ({code})" if code and not code.isdecimal() else ""
            raise StoreError(
                f"No permission to read {address}{said}: {_ROLES[scheme]}{_OTHERWISE[scheme]}"
            ) from error
        if _is_unreached(error, scheme):
            raise StoreError(
                f"{address} cannot be read: nothing answers at the endpoint of the store "
                f"({reason}). {_TRIED}. Check the network, the proxy, and the endpoint in the "
                "configuration"
            ) from error
        hint = ""
        if _status(error) in _PASSING_STATUSES or isinstance(
            error, (ConnectionError, TimeoutError)
        ):
            hint = ". The store gave an unexpected answer; run again"
        raise StoreError(f"{address} cannot be read: {reason}{hint}") from error


def _is_limited(error: BaseException) -> bool:
    """Whether a store refuses for now because it was asked too often, whatever the status.

    Sources: Cloud Storage, "HTTP status and error codes" (a 403 may be `rateLimitExceeded`); S3,
    "Error responses" (`SlowDown`); Azure Storage, "Common REST API error codes" (`ServerBusy`).
    """
    status, text = _status(error), str(error)
    is_forbidden = text.startswith(_FORBIDDEN)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if status not in _LIMITING_STATUSES and not is_forbidden:
        return False
    # What gcsfs says of a 403 begins with a line for the path, which may have any words in it.
    told = text.partition("\n")[2] if is_forbidden else f"{_code(error)} {text}"
    plain = "".join(filter(str.isalnum, told)).lower()
    return any(word in plain for word in _LIMITS)


def _is_unreached(error: BaseException, scheme: str) -> bool:
    """Whether no connection to the store could be opened at all."""
    if _is_untrusted(error):
        return False
    if isinstance(error, (ConnectionRefusedError, *_unreached_errors(scheme))):
        return True
    return error.__cause__ is not None and _is_unreached(error.__cause__, scheme)


def _is_untrusted(error: BaseException) -> bool:
    """Whether the certificate of the other side was refused, which no second try changes."""
    while error.__cause__ is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error)


def _code(error: BaseException | None) -> str:
    """The error code that a store gave, wherever its client keeps it."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, Mapping):
            return str(response.get("Error", {}).get("Code", ""))
        code = getattr(error, "error_code", None)  # azure-storage-blob
        if code is not None:
            return str(getattr(code, "value", code))
        error = error.__cause__
    return ""


def is_refused(error: BaseException) -> bool:
    """Whether a store refused a call because a right is missing."""
    # gcsfs raises an OSError for 403, which only its text shows.
    return (
        isinstance(error, PermissionError)
        or _status(error) in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        or str(error).startswith(_FORBIDDEN)
    )


def _status(error: BaseException | None) -> int | None:
    """The HTTP status of an error, wherever its client keeps it."""
    for name in ("status_code", "code", "status"):  # azure-core, gcsfs, aiohttp
        value = str(getattr(error, name, ""))
        if value.isdecimal():
            return int(value)
    while error is not None:
        # s3fs turns errors of botocore into an OSError, and keeps the original as the cause.
        response = getattr(error, "response", None)
        if isinstance(response, Mapping):
            return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) or None
        error = error.__cause__
    return None


def client_errors(scheme: str) -> tuple[type[Exception], ...]:
    """The errors of a store's client besides OSError; they have no common base class."""
    if scheme == "gs":
        from aiohttp import ClientError
        from gcsfs.retry import HttpError
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        return ClientError, HttpError, GoogleAuthError, RequestException
    if scheme == "s3":
        from aiohttp import ClientError
        from botocore import exceptions

        return exceptions.BotoCoreError, exceptions.ClientError, ClientError
    from azure.core.exceptions import AzureError

    return (AzureError,)


def _passing_errors(scheme: str) -> tuple[type[Exception], ...]:
    """Errors without a status that pass: broken connections, answers that end early."""
    if scheme == "file":
        return ()
    if scheme == "az":
        from azure.core.exceptions import (
            IncompleteReadError,
            ServiceRequestError,
            ServiceResponseError,
        )

        return IncompleteReadError, ServiceRequestError, ServiceResponseError
    from aiohttp import ClientConnectionError, ClientPayloadError

    if scheme == "s3":
        from botocore import exceptions

        return (
            ClientPayloadError,
            exceptions.ConnectionError,
            exceptions.HTTPClientError,
            exceptions.IncompleteReadError,
            exceptions.ResponseStreamingError,
        )
    from google.auth.exceptions import TransportError
    from requests.exceptions import ProxyError  # gcsfs raises this for a 502

    return ClientConnectionError, ClientPayloadError, TransportError, ProxyError


def _unreached_errors(scheme: str) -> tuple[type[Exception], ...]:
    """What the client of a store raises if it cannot open a connection."""
    if scheme == "file":
        return ()
    if scheme == "az":
        from azure.core.exceptions import ServiceRequestError

        return (ServiceRequestError,)
    from aiohttp import ClientConnectorError

    if scheme == "s3":
        from botocore import exceptions

        return ClientConnectorError, exceptions.ConnectionError
    from google.auth.exceptions import TransportError

    return ClientConnectorError, TransportError
