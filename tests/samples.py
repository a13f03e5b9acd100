"""Sample exports for tests that only need some: each is made once in a process, and then copied."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudbill import sample
from cloudbill.sample import WrittenRun

__all__ = ["write_aws", "write_azure"]


def write_azure(folder: Path, **arguments: Any) -> tuple[WrittenRun, ...]:
    """Does what `cloudbill.sample.write_azure` does, by a copy from the second time on."""
    return _copy(sample.write_azure, folder, arguments)


def write_aws(folder: Path, **arguments: Any) -> tuple[WrittenRun, ...]:
    """Does what `cloudbill.sample.write_aws` does, by a copy from the second time on."""
    return _copy(sample.write_aws, folder, arguments)


def _copy(
    write: Callable[..., tuple[WrittenRun, ...]], folder: Path, arguments: dict[str, Any]
) -> tuple[WrittenRun, ...]:
    made, runs = _made(write, tuple(sorted(arguments.items())))
    # Times of files are part of an export, and are copied too.
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return tuple(
        replace(
            run,
            manifest_path=folder / run.manifest_path.relative_to(made),
            part_paths=tuple(folder / path.relative_to(made) for path in run.part_paths),
        )
        for run in runs
    )


@functools.cache
def _made(
    write: Callable[..., tuple[WrittenRun, ...]], arguments: tuple[tuple[str, Any], ...]
) -> tuple[Path, tuple[WrittenRun, ...]]:
    made = Path(tempfile.mkdtemp(prefix="cloudbill-samples-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made, write(made, **dict(arguments))
