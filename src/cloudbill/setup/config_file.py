"""Puts a section into `.dlt/config.toml`, and leaves everything else as it is.

The file belongs to the user: comments, order and sections of other tools stay exactly the same. The
file is replaced in one step, so no reader sees half of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Null, Table

from cloudbill.disk.exchanging import write_in_one_step
from cloudbill.disk.room import full_disk_of
from cloudbill.errors import ConfigError
from cloudbill.settings.files import dlt_context
from cloudbill.text.paths import toml_hint

__all__ = [
    "SectionThereError",
    "TomlValues",
    "config_file",
    "has_section",
    "read_config",
    "section_text",
    "with_section",
    "write_config",
]


class SectionThereError(ConfigError):
    """The section is already in the file, and nobody asked to change it."""


class TomlValues:
    """Looks up keys in the text of a configuration, the way dlt does in its file."""

    name = "config.toml"

    def __init__(self, text: str, file: Path) -> None:
        self._values: Mapping[str, Any] = _parse(text, file).unwrap()

    def get_value(
        self,
        key: str,
        hint: type[Any],  # noqa: ARG002
        pipeline_name: str | None,
        *sections: str,
    ) -> tuple[Any, str]:
        """The value of a key below sections, or None, and the key's full name."""
        path = [*([pipeline_name] if pipeline_name else []), *sections, key]
        node: Any = self._values
        for name in path:
            node = node.get(name) if isinstance(node, Mapping) else None
        return node, ".".join(path)


def config_file() -> Path:
    """The `config.toml` that dlt reads in the current folder.

    Raises:
        ConfigError: If dlt cannot read it, or one of its other files; names the line.
    """
    return Path(dlt_context().context.settings_dir) / "config.toml"


def read_config(file: Path) -> str:
    """The text of a configuration file; empty if there is none.

    Raises:
        ConfigError: If it cannot be read, or is not valid TOML; names the line.
    """
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} is not UTF-8 in line {line}; save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    _parse(text, file)
    return text


def has_section(text: str, section: Sequence[str], *, file: Path) -> bool:
    """Whether a section has keys; sections inside it do not count.

    Raises:
        ConfigError: If the text is not valid TOML.
    """
    node: Any = _parse(text, file).unwrap()
    for name in section:
        node = node.get(name) if isinstance(node, Mapping) else None
    return isinstance(node, Mapping) and any(
        not isinstance(value, Mapping) for value in node.values()
    )


def with_section(
    text: str,
    section: Sequence[str],
    values: Mapping[str, str | None],
    *,
    file: Path,
    replace: bool = False,
) -> str:
    """The text of a file with the values in a section; everything else in it stays.

    The value None removes a key: with `replace`, a line that sets it becomes a comment.

    Raises:
        SectionThereError: If the section already has keys, and `replace` is not given.
        ConfigError: If the text is not valid TOML, or has no place for the section.
    """
    name = ".".join(section)
    if has_section(text, section, file=file) and not replace:
        raise SectionThereError(f"[{name}] is already in {file}, and nothing was changed")
    # TOML has several layouts for the same data, such as inline tables and dotted keys, and not
    # every change fits each of them. So the result is parsed again, and only accepted if it has
    # exactly the wanted data.
    wanted = _merged(_parse(text, file).unwrap(), section, values)
    for put in (_appended, _set):
        with suppress(TOMLKitError, tomllib.TOMLDecodeError, TypeError, AttributeError, ValueError):
            changed = put(text, section, values)
            if tomllib.loads(changed) == wanted:
                return changed
    raise ConfigError(
        f"{file} has a layout to which [{name}] cannot be added without changing more; add it "
        "by hand. Nothing was changed"
    )


def section_text(section: Sequence[str], values: Mapping[str, str | None]) -> str:
    """The lines of a new section."""
    table = tomlkit.table()
    for key, value in values.items():
        if value is not None:
            table.append(key, value)
    header = ".".join(tomlkit.key(name).as_string() for name in section)
    return f"[{header}]\n{table.as_string()}"


def write_config(file: Path, text: str) -> None:
    """Replaces a file by one with this text, in one step; its mode stays.

    Raises:
        ConfigError: If it cannot be written; then the old file stays.
    """
    try:
        write_in_one_step(file, text.encode())
    except OSError as error:
        full = full_disk_of(error, file, remedy="run it in another folder")
        raise ConfigError(f"{file} cannot be written: {full or error.strerror}") from error


def _parse(text: str, file: Path) -> tomlkit.TOMLDocument:
    try:
        tomllib.loads(text)  # names the line of a duplicate section, which tomlkit does not
        return tomlkit.parse(text)
    except (tomllib.TOMLDecodeError, TOMLKitError) as error:
        raise ConfigError(
            f"{file} is not valid TOML: {error}. Correct it first{toml_hint(str(error), text)}; "
            "nothing was changed"
        ) from error


def _merged(
    values: Mapping[str, Any], section: Sequence[str], added: Mapping[str, str | None]
) -> dict[str, Any]:
    """The data that the file must have afterwards, whatever its layout."""
    if not section:
        kept = {key: value for key, value in values.items() if key not in added}
        return kept | {key: value for key, value in added.items() if value is not None}
    first, *rest = section
    inner = values.get(first, {})
    inner = inner if isinstance(inner, Mapping) else {}
    return {**values, first: _merged(inner, rest, added)}


def _appended(text: str, section: Sequence[str], values: Mapping[str, str | None]) -> str:
    """Adds a new section at the end, so nothing before it moves."""
    added = section_text(section, values)
    if "\r\n" in text:
        added = added.replace("\n", "\r\n")
    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text.strip() else end if text.endswith("\n") else end * 2
    return f"{text}{gap}{added}"


def _set(text: str, section: Sequence[str], values: Mapping[str, str | None]) -> str:
    """Sets keys in an existing section, in their places."""
    document = tomlkit.parse(text)
    node: Any = document
    for name in section:
        node = node[name]
    for key, value in values.items():
        if value is not None:
            node[key] = value
        elif key in node:
            _comment_out(node, key)
    return tomlkit.dumps(document)


def _comment_out(node: Any, key: str) -> None:
    item = node[key]
    old = f"{key} = {item.as_string()}{item.trivia.comment_ws}{item.trivia.comment}"
    node.remove(key)
    if isinstance(node, Table) and "\n" not in old:
        body = node.value.body
        gaps = [index for index, (_, left) in enumerate(body) if isinstance(left, Null)]
        body[gaps[-1]] = (None, tomlkit.comment(old))
