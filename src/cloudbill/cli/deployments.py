"""Where a command runs, and what tells its installation from another one; for messages."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudbill.alerts.alert import Deployment
    from cloudbill.alerts.messages import Sender
    from cloudbill.settings import SourceSettings
    from cloudbill.settings.lookup import ValueProvider

__all__ = [
    "deployment_of",
    "deployment_of_all",
    "deployment_of_broken",
    "deployment_of_folder",
    "sender",
]


def sender() -> Sender:
    """This machine, and the folder that the command runs in."""
    from cloudbill.alerts.messages import Sender

    return Sender(host=socket.gethostname(), folder=str(Path.cwd()))


def deployment_of(settings: SourceSettings | Mapping[str, object]) -> Deployment:
    """What tells a source from one of the same name elsewhere."""
    from cloudbill.alerts.alert import Deployment
    from cloudbill.settings.deployments import identity_of, warehouse_of

    return Deployment(warehouse=warehouse_of(settings), what=identity_of(settings))


def deployment_of_broken(source: str, providers: Sequence[ValueProvider]) -> Deployment:
    """The same of a source whose settings cannot be read, as far as its keys can."""
    from cloudbill.settings.deployments import values_without_settings

    return deployment_of(values_without_settings(source, providers))


def deployment_of_folder() -> Deployment:
    """What tells a configuration that cannot be read from another one: its folder alone."""
    from cloudbill.alerts.alert import Deployment

    return Deployment(what=str(Path.cwd()))


def deployment_of_all() -> Deployment:
    """What tells what is of no source from the same elsewhere: the warehouses of all sources.

    All that are configured count, whichever the command is for: one reason has one key.
    """
    from cloudbill.alerts.alert import Deployment
    from cloudbill.errors import CloudbillError
    from cloudbill.settings import SourceSettings, dlt_providers, read_each_source
    from cloudbill.settings.deployments import identity_of, warehouse_of

    try:
        found = read_each_source(dlt_providers(), os.environ)
    except CloudbillError:
        return deployment_of_folder()
    sources = [one for one in found if isinstance(one, SourceSettings)]
    if not sources:
        return deployment_of_folder()
    what = sorted({identity_of(one, with_export=False) for one in sources})
    warehouses = dict.fromkeys(map(warehouse_of, sources))
    return Deployment(warehouse=", ".join(warehouses), what=" ".join(what))
