"""dlt's configuration files: opened by dlt, and named here where dlt cannot read them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from cloudbill.errors import ConfigError

__all__ = ["dlt_context"]


def dlt_context() -> Any:
    """What dlt knows of the folder that the command runs in, and its places of configuration.

    Raises:
        ConfigError: If dlt cannot read one of its files; names the file and the line.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers.toml import TomlProviderReadException
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    try:
        return Container()[PluggableRunContext]
    except TomlProviderReadException as error:
        # dlt names the places that it looks in, not the file that is broken.
        for path in error.full_paths:
            _require_readable(Path(path))
        raise ConfigError(f"dlt cannot read {error.file_name}: {error}") from error


def _require_readable(file: Path) -> None:
    try:
        tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} is not UTF-8 in line {line}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}. Correct that line") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
