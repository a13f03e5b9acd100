"""What class of machine this is: cores, memory and versions; never whose."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Final

__all__ = ["describe"]

_PACKAGES: Final = ("cloudbill", "duckdb", "dlt", "pandas", "pyarrow", "typer", "gcsfs")


def describe() -> dict[str, str | int | float]:
    """Cores, memory in GB, the load when the run ended, and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count() or 0,
        "memory_gb": round(memory / 1000**3),
        "load_average": round(os.getloadavg()[1], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
