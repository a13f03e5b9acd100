"""Puts the page together: data, styles, programs, and a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from string import Template

__all__ = ["PROGRAM", "build_page"]

# The files of the page's program in the order in which they run: each may use the names of those
# before it while it is read, and all names once something is drawn.
PROGRAM = (
    "amounts",
    "rows",
    "elements",
    "csv",
    "filters",
    "address",
    "charts",
    "selection",
    "headline",
    "months",
    "daily",
    "where",
    "movers",
    "kinds",
    "view",
    "tags",
    "verdict",
    "trust",
    "copying",
    "paper",
    "page",
)


def build_page(document: Mapping[str, object]) -> str:
    """The HTML of a page that shows a document of `page_json`, in one file.

    The policy allows its programs only by their hashes, so no name in a bill can ever run as a
    program, and it allows no access to the network.
    """
    here = files("cloudbill.report")
    plotly = _plotly()
    program = _program()
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; script-src {_hash(plotly)} {_hash(program)}"
    )
    return Template(here.joinpath("template.html").read_text(encoding="utf-8")).substitute(
        policy=policy,
        style=here.joinpath("report.css").read_text(encoding="utf-8"),
        paper=here.joinpath("paper.css").read_text(encoding="utf-8"),
        data=_json(document),
        plotly=plotly,
        program=program,
    )


def _program() -> str:
    """All files in one strict function: one scope for them, and no name of theirs outside it."""
    folder = files("cloudbill.report").joinpath("program")
    parts = (folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in PROGRAM)
    return '"use strict";\n\n(() => {\n' + "\n".join(parts) + "})();\n"


def _plotly() -> str:
    library = files("cloudbill.report").joinpath("library", "plotly-basic.min.js")
    # A browser converts all line endings to one before it computes the hash, and so does this.
    return library.read_text(encoding="utf-8")


def _hash(program: str) -> str:
    digest = hashlib.sha256(program.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(document: Mapping[str, object]) -> str:
    """JSON that cannot end its HTML element, whatever its texts contain."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate cannot be written as UTF-8, and the separators end a line in old JavaScript.
    text = text.encode("utf-8", "backslashreplace").decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
