"""The commands that fit how cloudbill was installed: what adds an extra, and what runs it again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Installation", "Origin", "Way", "extras_in", "origin_of"]

_NAME: Final = "cloudbill"
_PIPX: Final = "pipx_metadata.json"
_UV_TOOL: Final = "uv-receipt.toml"
_UV_CACHES: Final = re.compile(r"(archive|environments|builds)-v\d+")
_OF_EXTRA: Final = re.compile(r"""(?P<name>[\w.-]+).*;.*\bextra\s*==\s*["'](?P<extra>[\w-]+)["']""")


class Way(Enum):
    """Which tool installed it, and where."""

    CLONE = auto()
    """In a clone of the project, by `uv run` or `uv sync`."""
    PROJECT = auto()
    """In a project of its user, by `uv add`."""
    PIPX = auto()
    PIPX_RUN = auto()
    UV_TOOL = auto()
    UVX = auto()
    UV = auto()
    """In an environment, by `uv pip`."""
    PIP = auto()
    SYSTEM = auto()
    """In the Python of the system, which refuses pip."""


_ADDING: Final[Mapping[Way, str]] = {
    Way.CLONE: "uv sync{project} --inexact --extra {extra}",
    Way.PROJECT: "uv add{project} {alone}",
    Way.PIPX: "pipx inject {environment} {alone}",
    # These make the environment again, so they are told of all extras.
    Way.PIPX_RUN: "pipx run --spec {together} cloudbill",
    Way.UV_TOOL: "uv tool install --force {together}",
    Way.UVX: "uvx --from {together} cloudbill",
    Way.SYSTEM: "pipx install {together}",
    Way.UV: "uv pip install{python} {alone}",
    Way.PIP: "{pip} install {alone}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where it was installed from, if not from a registry: a URL as pip takes it."""

    url: str = ""
    is_editable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is known of an installation.

    `prefix` is the folder of its environment, with the files `marks` in it, and `python` its
    interpreter. `origin` is empty where it came from a registry; `clone` is the folder that an
    editable one runs from. `extras` are those whose packages are there. `here` is the folder that
    commands are for.
    """

    prefix: str
    python: str
    here: str
    is_environment: bool = True
    marks: frozenset[str] = frozenset()
    installer: str = "pip"
    origin: str = ""
    clone: str = ""
    extras: tuple[str, ...] = ()
    is_in_project: bool = False
    """Whether the folder that the environment is in is a project of uv."""
    is_managed: bool = False
    """Whether the interpreter refuses pip: it is `externally-managed`."""
    has_its_pip: bool = True
    """Whether `pip`, or `uv pip`, as it is typed, installs into this environment."""
    has_its_command: bool = True
    """Whether `cloudbill`, as it is typed, is this one."""
    is_windows: bool = False

    @property
    def way(self) -> Way:
        """How it was installed: the first of these that is so."""
        *_, parent, _ = ["", *_names(self.prefix)]
        by_uv = self.installer == "uv"
        is_clone = bool(self.clone) and _names(self.clone) == _names(self.prefix)[:-1]
        found = (
            (Way.PIPX, _PIPX in self.marks and parent == "venvs"),
            (Way.PIPX_RUN, _PIPX in self.marks),
            (Way.UV_TOOL, _UV_TOOL in self.marks),
            (Way.SYSTEM, self.is_managed and not self.is_environment),
            (Way.UVX, by_uv and bool(_UV_CACHES.fullmatch(parent))),
            (Way.CLONE, by_uv and is_clone),
            (Way.PROJECT, by_uv and self.is_in_project and not self.clone),
            (Way.UV, by_uv),
        )
        return next((way for way, is_so in found if is_so), Way.PIP)

    def adding(self, extra: str) -> str:
        """The command that installs an extra where cloudbill is, and keeps what is there."""
        python = self._quoted(self.python)
        return _ADDING[self.way].format(
            extra=extra,
            alone=self._wanted([extra]),
            together=self._wanted([*self.extras, extra]),
            environment=self._quoted(_names(self.prefix)[-1]),
            project=self._project(),
            pip="pip" if self.has_its_pip else f"{python} -m pip",
            python="" if self.has_its_pip else f" --python {python}",
        )

    @property
    def command(self) -> str:
        """What runs cloudbill again from `here`."""
        is_plain = not (self.origin or self.extras)
        together = self._wanted(self.extras)
        match self.way:
            case Way.UVX:
                return f"uvx {_NAME}" if is_plain else f"uvx --from {together} {_NAME}"
            case Way.PIPX_RUN:
                return f"pipx run {_NAME}" if is_plain else f"pipx run --spec {together} {_NAME}"
            case Way.CLONE | Way.PROJECT if self._is_inside():
                return f"uv run {_NAME}"
            case _ if self.has_its_command:
                return _NAME
            case Way.CLONE | Way.PROJECT:
                return f"uv run{self._project()} {_NAME}"
            case _:
                return f"{self._quoted(self.python)} -m {_NAME}"

    def _wanted(self, extras: Iterable[str]) -> str:
        """What a tool is told to install."""
        listed = ",".join(sorted(set(extras)))
        found = f"[{listed}]" if listed else ""
        if self.clone:
            return f"-e {self._quoted(self.clone + found)}"
        return self._quoted(f"{_NAME}{found}" + (f" @ {self.origin}" if self.origin else ""))

    def _project(self) -> str:
        """The option that names the project, where a command would not find it from `here`."""
        if self._is_inside():
            return ""
        root = self.prefix.rstrip("\\/").removesuffix(_names(self.prefix)[-1]).rstrip("\\/")
        return f" --project {self._quoted(root)}"

    def _is_inside(self) -> bool:
        root = _names(self.prefix)[:-1]
        return _names(self.here)[: len(root)] == root

    def _quoted(self, text: str) -> str:
        """A word of a command line; the shells of Windows take double quotes only, or those too."""
        if not self.is_windows:
            return shlex.quote(text)
        return text if re.fullmatch(r"[\w:\\/.+-]+", text) else f'"{text}"'


def origin_of(direct_url: str | None) -> Origin:
    """Where a package was installed from, by its `direct_url.json`; empty for a registry.

    Source of the form: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        found = json.loads(direct_url or "{}")
    except ValueError:
        found = {}
    url = found.get("url") if isinstance(found, Mapping) else None
    if not isinstance(url, str) or urlsplit(url).password:
        # Nobody needs to read a password to be told of an extra.
        return Origin()
    folder, repository = found.get("dir_info"), found.get("vcs_info")
    if isinstance(repository, Mapping):
        revision = repository.get("requested_revision") or repository.get("commit_id")
        return Origin(url=f"{repository.get('vcs')}+{url}" + (f"@{revision}" if revision else ""))
    is_editable = isinstance(folder, Mapping) and folder.get("editable") is True
    return Origin(url=url, is_editable=is_editable)


def extras_in(requirements: Iterable[str], installed: Iterable[str]) -> tuple[str, ...]:
    """The extras whose packages are installed, without those that another one includes.

    `requirements` are those of the metadata, such as `gcsfs>=2026.2; extra == 'gs'`.
    """
    needed: dict[str, set[str]] = {}
    for requirement in requirements:
        if match := _OF_EXTRA.fullmatch(requirement):
            needed.setdefault(match["extra"], set()).add(_normal(match["name"]))
    there = {_normal(name) for name in installed}
    found = {extra: names for extra, names in needed.items() if names <= there}
    return tuple(
        sorted(
            extra
            for extra, names in found.items()
            if not any(names < others for others in found.values())
        )
    )


def _names(path: str) -> list[str]:
    """The names in a path of any system."""
    return [name for name in re.split(r"[\\/]+", path) if name]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
