"""The program of docs/json.md holds what a command prints against its schema."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from end_to_end.conftest import ROOT
from end_to_end.imported import INSTALLED
from end_to_end.pages import blocks


def test_the_program_of_the_page_accepts_a_document_and_refuses_another(tmp_path: Path) -> None:
    (block,) = (one for one in blocks("python") if one.page == "docs/json.md")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    path = f"{Path(INSTALLED).parent}{os.pathsep}{os.environ['PATH']}"
    for text, code in ((block.text, 0), (block.text.replace('"status.json"', '"load.json"'), 1)):
        done = subprocess.run(
            [sys.executable, "-c", text],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
