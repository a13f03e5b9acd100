"""The clients of remote stores, with deadlines, retries, and errors of ours.

The retries of the clients themselves are switched off, because they are silent, multiply with ours,
and have no common bound: gcsfs makes 6 attempts, s3fs and botocore 5 each, azure-core 4. The same
failures are tried again here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cloudbill.errors import ConfigError
from cloudbill.store.credentials import MALFORMED, malformed_value, store_advice
from cloudbill.store.faults import client_errors, may_pass, store_errors
from cloudbill.store.retrying import Patience, persist

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["MAX_READ_BYTES", "StoreClient"]

_T = TypeVar("_T")

MAX_READ_BYTES: Final = 64 * 1024 * 1024
"""What is read as a whole, such as a manifest, has no more; a larger object is not read."""

# Each of them tries a request six times, by a decorator that accepts no other number.
_GCSFS_RETRIED: Final = ("_request", "_get_file_request", "_get_file_concurrent")


class StoreClient:
    """A client of fsspec whose calls have deadlines, are tried again, and raise `StoreError`."""

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        *,
        scheme: str,
        errors: tuple[type[Exception], ...],
        patience: Patience,
    ) -> None:
        self.filesystem = filesystem
        self._scheme = scheme
        self._errors = errors
        self._patience = patience

    @classmethod
    def open(
        cls, scheme: str, bucket: str, *, sections: tuple[str, ...], patience: Patience
    ) -> StoreClient:
        """Opens `gs`, `s3` or `az` with the credentials that dlt would use.

        Raises:
            ConfigError: If the client is not installed, or there are no credentials.
        """
        filesystem = _open_filesystem(scheme, bucket, sections, patience)
        return cls(filesystem, scheme=scheme, errors=client_errors(scheme), patience=patience)

    def stretch(self, size: int) -> float:
        """How many times longer than a small read a read of so many bytes may take."""
        return self._patience.stretch(size)

    def call(
        self,
        address: str,
        attempt: Callable[[], Coroutine[Any, Any, _T]],
        *,
        stretch: float = 1.0,
    ) -> _T:
        """Awaits the result of `attempt`, and tries again while it fails for a passing reason.

        Raises:
            PartMissingError: If there is no such object.
            StoreError: If it cannot be read.
        """
        limit_s = self._patience.attempt_s * stretch

        def run() -> _T:
            return self._await(attempt, limit_s)

        with store_errors(address, *self._errors, scheme=self._scheme):
            return persist(
                f"Reading {address}",
                run,
                may_pass=lambda error: may_pass(error, self._scheme),
                patience=self._patience,
            )

    def _await(self, attempt: Callable[[], Coroutine[Any, Any, _T]], limit_s: float) -> _T:
        async def bounded() -> _T:
            try:
                return await asyncio.wait_for(attempt(), limit_s)
            except TimeoutError as error:
                raise TimeoutError(str(error) or f"no answer within {limit_s:g} s") from error

        # The clients run in fsspec's event loop, in its own thread. A deadline inside that loop
        # ends the request itself, not only the wait for it.
        future = asyncio.run_coroutine_threadsafe(bounded(), self.filesystem.loop)
        try:
            return future.result()
        finally:
            # After Ctrl-C it must not go on writing.
            future.cancel()


def _open_filesystem(
    scheme: str, bucket: str, sections: tuple[str, ...], patience: Patience
) -> AbstractFileSystem:
    # gcsfs asks for the layout of each bucket over gRPC; no emulator answers, which costs 60 s
    # each.
    emulator = os.environ.get("STORAGE_EMULATOR_HOST") if scheme == "gs" else None
    if emulator:
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    # Imported late, because dlt and the clients take a second each.
    from dlt.common.configuration import resolve_configuration
    from dlt.common.configuration.exceptions import (
        ConfigFieldMissingException,
        ConfigurationException,
    )
    from dlt.common.exceptions import MissingDependencyException
    from dlt.common.storages.configuration import FilesystemConfiguration
    from dlt.common.storages.fsspec_filesystem import fsspec_from_config

    try:
        timeouts = _timeouts(scheme, patience)
        if emulator:
            from gcsfs import GCSFileSystem

            options = {"token": "anon", "endpoint_url": emulator, "use_listings_cache": False}
            return _without_retries(GCSFileSystem(**options, **timeouts), scheme)
        config = resolve_configuration(
            FilesystemConfiguration(bucket_url=f"{scheme}://{bucket}"), sections=sections
        )
        config.kwargs = {**timeouts, **(config.kwargs or {})}
        return _without_retries(fsspec_from_config(config)[0], scheme)
    except (ImportError, MissingDependencyException) as error:
        from cloudbill.disk.installation import adding_extra

        raise ConfigError(
            f"Reading {scheme}:// needs a client; install it: {adding_extra(scheme)}"
        ) from error
    except ConfigFieldMissingException as error:
        advice = "\n".join(store_advice(scheme, ".".join(sections[1:])))
        raise ConfigError(f"No credentials for {scheme}://{bucket} were found\n{advice}") from error
    except ConfigurationException as error:
        raise ConfigError(f"No credentials for {scheme}://{bucket}: {error}") from error
    except _unusable_credentials(scheme) as error:
        advice = "\n".join(store_advice(scheme, ".".join(sections[1:])))
        raise ConfigError(
            f"The credentials for {scheme}://{bucket} cannot be used: {malformed_value(error)}\n"
            f"{advice}"
        ) from error


def _timeouts(scheme: str, patience: Patience) -> dict[str, Any]:
    """Options that make a client give up a connection without incoming bytes."""
    idle_s = max(patience.attempt_s, 0.001)
    if scheme == "gs":
        from aiohttp import ClientTimeout

        # No limit for the total time, or a large part could never be read.
        return {
            "requests_timeout": ClientTimeout(total=None, sock_connect=idle_s, sock_read=idle_s)
        }
    if scheme == "s3":
        retries = {"total_max_attempts": 1, "mode": "standard"}
        return {
            "config_kwargs": {
                "connect_timeout": idle_s,
                "read_timeout": idle_s,
                "retries": retries,
            }
        }
    # azure-core takes whole seconds.
    return {"connection_timeout": max(1, round(idle_s)), "read_timeout": max(1, round(idle_s))}


def _without_retries(filesystem: AbstractFileSystem, scheme: str) -> AbstractFileSystem:
    if scheme == "gs":
        for name in _GCSFS_RETRIED:
            once = getattr(getattr(type(filesystem), name, None), "__wrapped__", None)
            if once is not None:
                setattr(filesystem, name, MethodType(once, filesystem))
    elif scheme == "s3":
        filesystem.retries = 1
    else:
        # azure-storage-blob accepts it only for the client, which adlfs creates without options.
        filesystem.service_client._config.retry_policy.total_retries = 0  # noqa: SLF001
    return filesystem


def _unusable_credentials(scheme: str) -> tuple[type[Exception], ...]:
    return (*MALFORMED, *client_errors(scheme))
