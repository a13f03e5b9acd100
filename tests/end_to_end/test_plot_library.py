"""The library that draws the charts of the report is what its makers published."""

from __future__ import annotations

import shutil

import pytest
from scripts.plot_library import FOLDER, VERSION, delivered


def test_the_library_in_the_package_is_what_npm_delivers() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm, which delivers the library, is not installed here")

    published = delivered()

    assert f"v{VERSION}\n".encode() in published["plotly-basic.min.js"][:200]
    assert {file.name: file.read_bytes() for file in FOLDER.iterdir()} == published
