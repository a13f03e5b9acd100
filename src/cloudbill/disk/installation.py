"""How this cloudbill was installed: what tools such as pip and uv leave on disk says so."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cloudbill.text.installing import Installation, extras_in, origin_of
from cloudbill.text.paths import IS_WINDOWS

__all__ = ["adding_extra", "read_installation"]

_NAME: Final = "cloudbill"
_BY_UV_RUN: Final = "UV_RUN_RECURSION_DEPTH"


def adding_extra(extra: str) -> str:
    """The command that adds an extra of cloudbill to this installation."""
    return read_installation().adding(extra)


def read_installation(environment: Mapping[str, str] = os.environ) -> Installation:
    """What is known of this installation; commands are for the current folder."""
    found = _distribution()
    origin = origin_of(found.read_text("direct_url.json") if found else None)
    installer = ((found and found.read_text("INSTALLER")) or "pip").strip()
    prefix = Path(sys.prefix)
    return Installation(
        prefix=str(prefix),
        python=sys.executable,
        here=str(Path.cwd()),
        is_environment=sys.prefix != sys.base_prefix,
        marks=frozenset(path.name for path in prefix.glob("*.*")),
        installer=installer,
        origin="" if origin.is_editable else origin.url,
        clone=_folder(origin.url) if origin.is_editable else "",
        extras=extras_in((found and found.requires) or (), _installed()),
        is_in_project=(prefix.parent / "uv.lock").exists(),
        is_managed=_is_managed(),
        has_its_pip=_has_its_pip(installer, environment),
        has_its_command=_has_its_command(environment),
        is_windows=IS_WINDOWS,
    )


def _distribution() -> Distribution | None:
    try:
        return distribution(_NAME)
    except PackageNotFoundError:  # it runs from a folder of sources
        return None


def _folder(url: str) -> str:
    from urllib.request import url2pathname  # it imports all of http

    return url2pathname(urlsplit(url).path)


def _installed() -> list[str]:
    return [name for one in distributions() if (name := one.metadata["Name"])]


def _is_managed() -> bool:
    """Whether pip refuses to install into the interpreter itself, by PEP 668."""
    scheme = sysconfig.get_default_scheme()
    return Path(sysconfig.get_path("stdlib", scheme), "EXTERNALLY-MANAGED").exists()


def _has_its_pip(installer: str, environment: Mapping[str, str]) -> bool:
    if installer == "uv":
        active = environment.get("VIRTUAL_ENV")
        return active is not None and Path(active).resolve() == Path(sys.prefix).resolve()
    return _is_ours(shutil.which("pip", path=environment.get("PATH")))


def _has_its_command(environment: Mapping[str, str]) -> bool:
    # `uv run` puts the environment on the PATH of what it starts, and of nothing else.
    if _BY_UV_RUN in environment:
        return False
    return _is_ours(shutil.which(_NAME, path=environment.get("PATH")))


def _is_ours(command: str | None) -> bool:
    """Whether a command is one of this environment, maybe by a link from another folder."""
    if command is None:
        return False
    folder = Path(sys.executable).parent.resolve()
    place = Path(command).parent.resolve()
    if place.name == "shims":  # of pyenv and its kind, which start what is in the same folder
        return place.parent in folder.parents
    return folder in {place, Path(command).resolve().parent}
