"""Holds what commands print as JSON against the schemas of `docs/schemas`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

SCHEMAS: Final = Path(__file__).parents[1] / "docs/schemas"
SHARED: Final = "common"
DOCUMENTS: Final = {
    "load": "load",
    "plan": "plan",
    "accept": "accept",
    "status": "status",
    "history": "history",
    "verify": "verify",
    "doctor": "doctor",
    "focus": "focus",
    "query": "query",
    "export": "export",
    "config show": "config-show",
    "smoke-test": "smoke-test",
}
"""The schema of what each command prints with `--json`."""
OTHERS: Final = {("load", "--dry-run"): "plan", ("verify", "--view"): "verify-view"}
"""Where an option makes it another document."""
LOG_LINE: Final = "log-line"
ALERT: Final = "alert"
"""What a destination of `notify` gets."""


@functools.cache
def schema(name: str) -> Mapping[str, Any]:
    """A schema by the name of its file."""
    read: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    return read


def names() -> list[str]:
    """Every schema of a document."""
    return sorted({path.stem for path in SCHEMAS.glob("*.json")} - {SHARED})


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """What says whether a document fits."""
    files = {f"{one}.json": Resource.from_contents(schema(one)) for one in (*names(), SHARED)}
    return Draft202012Validator(
        {"$ref": f"{name}.json"}, registry=Registry().with_resources(files.items())
    )


def fits(name: str, document: object) -> bool:
    """Whether a document fits its schema."""
    return bool(validator(name).is_valid(document))


def require_fit(name: str, text: str) -> Any:
    """The document, which has to fit; the failure says where it does not."""
    document = json.loads(text)
    fault = best_match(validator(name).iter_errors(document))
    assert fault is None, f"{name}: {fault.json_path} {fault.message}"
    return document


def require_printed_fit(words: tuple[str, ...], out: str, err: str = "") -> None:
    """Holds all JSON that a command printed against its schema.

    The answer to a query that failed has no end, and `smoke-test` writes a file.
    """
    name = document_of(words)
    is_cut = name == "query" and not out.endswith("}\n")
    if name not in {None, "smoke-test"} and "--json" in words and out and not is_cut:
        require_fit(str(name), out)
    if "--log-format" in words and "json" in words:
        for line in log_lines(f"{out}\n{err}"):
            require_fit(LOG_LINE, line)


def document_of(words: tuple[str, ...]) -> str | None:
    """The schema of what a command line prints, None for commands that print no JSON."""
    for (command, option), name in OTHERS.items():
        if words[:1] == (command,) and option in words:
            return name
    command = next(
        (one for one in DOCUMENTS if tuple(one.split()) == words[: len(one.split())]), ""
    )
    return DOCUMENTS.get(command)


def log_lines(text: str) -> Iterator[str]:
    """The lines of a log: not what stops a command before it begins, and no document."""
    for line in text.splitlines():
        if line.startswith('{"time"'):
            yield line
