"""dlt's configuration files: opened by dlt, and named here where dlt cannot read them."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cloudbill.errors import ConfigError
from cloudbill.settings.lookup import ValueProvider
from cloudbill.text.paths import toml_hint

__all__ = ["Readable", "dlt_context", "readable_files"]

_RUNTIME: Final = "RUNTIME__"


def dlt_context() -> Any:
    """What dlt knows of the folder that the command runs in, and its places of configuration.

    Raises:
        ConfigError: If dlt cannot read one of its files, which is named with the line; or if it
            does not take its own settings in `[runtime]`.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers.toml import TomlProviderReadException
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
    from dlt.common.exceptions import DltException

    try:
        return Container()[PluggableRunContext]
    except TomlProviderReadException as error:
        # dlt names the places that it looks in, not the file that is broken.
        for path in error.full_paths:
            _require_readable(Path(path))
        raise ConfigError(f"dlt cannot read {error.file_name}: {error}") from error
    except (DltException, ValueError) as error:
        raise ConfigError(_refused_runtime(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """The places of configuration that can be read, in dlt's order, and the files that cannot."""

    providers: tuple[ValueProvider, ...]
    broken: tuple[Path, ...] = ()


def readable_files() -> Readable:
    """What dlt would read if the files that it cannot read were not there.

    Of two files of one name, such as that of dlt's global folder, one that is broken leaves the
    other.
    """
    from dlt.common.configuration.providers import (
        ConfigTomlProvider,
        EnvironProvider,
        SecretsTomlProvider,
    )
    from dlt.common.configuration.providers.toml import TomlProviderReadException
    from dlt.common.runtime.run_context import RunContext, global_dir

    # Not by dlt's container, which has no context where one of the files is broken.
    folders = (RunContext(None).settings_dir, global_dir())
    found: list[Any] = [EnvironProvider()]  # dlt types its providers less exactly
    broken: list[Path] = []
    for kind in (SecretsTomlProvider, ConfigTomlProvider):
        for folder in folders:
            try:
                found.append(kind(folder))
            except TomlProviderReadException as error:
                broken += map(Path, error.full_paths)
    return Readable(providers=tuple(found), broken=tuple(broken))


def _refused_runtime(error: Exception) -> str:
    """What is said where dlt does not start: it reads its own settings before all others."""
    reason = " ".join(str(error).split())
    variables = sorted(name for name in os.environ if name.startswith(_RUNTIME))
    where = f"the variables {', '.join(variables)}" if variables else "[runtime] of its files"
    return f"dlt does not take its settings in {where}: {reason}. Correct them, or take them out"


def _require_readable(file: Path) -> None:
    try:
        text = file.read_bytes().decode()
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(
                f"{file} is not valid TOML: {error}. Correct that line{toml_hint(str(error), text)}"
            ) from error
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} is not UTF-8 in line {line}; save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
