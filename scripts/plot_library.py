"""Writes the library that draws the report's charts, as npm delivers it, into the package.

It is Plotly's basic bundle: bars, lines and pies, which is a quarter of the whole library.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from pathlib import Path

NAME = "plotly.js-basic-dist-min"
VERSION = "4.1.1"
FILES = ("plotly-basic.min.js", "LICENSE")
FOLDER = Path(__file__).parent.parent / "src/cloudbill/report/library"


def main() -> None:
    """Writes the files of the version above, and says how large they are."""
    for name, content in delivered().items():
        (FOLDER / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


def delivered() -> dict[str, bytes]:
    """The files of the library, by their names, as `npm pack` fetches them."""
    with tempfile.TemporaryDirectory() as folder:
        fetch = ["npm", "pack", "--silent", f"{NAME}@{VERSION}", "--pack-destination", folder]
        subprocess.run(fetch, check=True, stdout=subprocess.DEVNULL)
        (packed,) = Path(folder).glob("*.tgz")
        with tarfile.open(packed) as archive:
            return {name: _read(archive, f"package/{name}") for name in FILES}


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"{NAME} {VERSION} has no {name}")
    return file.read()


if __name__ == "__main__":
    main()
