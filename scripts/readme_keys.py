"""Writes the table of configuration keys into README.md, from the code that reads them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cloudbill.settings.keys import KEYS

README = Path(__file__).parent.parent / "README.md"


def main() -> None:
    """Rewrites the table; with `--check` only compares it."""
    text = README.read_text()
    wanted = with_table(text)
    if "--check" in sys.argv and wanted != text:
        raise SystemExit("README.md is out of date: run `just docs`")
    README.write_text(wanted)


def with_table(text: str) -> str:
    """The text with the table between its two marks."""
    rows = (f"| `{key.name}` | {key.shown_default} | {key.description} |" for key in KEYS)
    lines = ["| key | default | what it is |", "|---|---|---|", *rows]
    table = "\n".join(lines)
    return re.sub(
        r"(<!-- keys -->\n).*(<!-- end of keys -->)",
        lambda match: f"{match[1]}{table}\n{match[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    main()
