"""Writes the pages that come from the code: of commands, keys, JSON, errors and the FOCUS views.

    uv run python scripts/reference.py [--check]

With `--check` it writes nothing, and fails if a page is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from cloudbill.cli import app
from cloudbill.cli.commands import PANELS
from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.faults import fault_rules
from cloudbill.focus.mapping import Entry, ProviderMapping, lookup_of, mapping_of
from cloudbill.providers import PROVIDERS
from cloudbill.settings.keys import KEYS
from cloudbill.text.explanations import (
    EXIT_CODES,
    EXPLANATIONS,
    WORDS,
    explanations_of_code,
)

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = DOCS / "schemas"
KEYS_HEAD = ("key", "is", "what it says")
DATA = "../src/cloudbill/focus/data"
PANEL = "rich_help_panel"


def main() -> None:
    """Writes the pages, or only compares them."""
    pages = {
        DOCS / "cli.md": "\n".join(cli_page()),
        DOCS / "errors.md": "\n".join(errors_page()),
        DOCS / "configuration.md": with_parts("configuration.md", configuration_parts()),
        DOCS / "focus.md": with_parts("focus.md", {"faults": faults_table()}),
        DOCS / "json.md": with_parts("json.md", {"documents": documents_part()}),
        DOCS / "focus-columns.md": "\n".join(columns_page()),
        DOCS / "focus-aws-services.md": "\n".join(services_page()),
    }
    late = [page for page, text in pages.items() if not page.exists() or page.read_text() != text]
    if "--check" in sys.argv:
        if late:
            names = ", ".join(f"docs/{page.name}" for page in late)
            raise SystemExit(f"{names} are out of date: run `just docs`")
        return
    for page in late:
        page.write_text(pages[page])


def errors_page() -> Iterator[str]:
    """The page of exit codes and errors."""
    yield "# Errors and exit codes"
    yield ""
    yield "Made from the code by `just docs`. `cloudbill explain LoadError` prints the same in a"
    yield "terminal, and so does `cloudbill explain 5`. A message says what happened, where, and"
    yield "what to do next; `-v` adds the traceback."
    yield ""
    yield from table(
        ("exit code", "means", "errors"),
        (
            (
                str(code.code),
                code.means,
                ", ".join(
                    f"[{known.name}](#{known.name.lower()})"
                    for known in explanations_of_code(code.code)
                ),
            )
            for code in EXIT_CODES
        ),
    )
    yield ""
    yield "If several things went wrong, the exit code is the highest of their codes; a failure"
    yield "goes before a held run."
    for known in EXPLANATIONS:
        yield ""
        yield f"## {known.name}"
        yield ""
        yield f"Exit code {known.exit_code}. {known.means}"
        yield ""
        yield "Common causes:"
        yield ""
        yield from (f"- {cause}" for cause in known.causes)
        yield ""
        yield "What to do:"
        yield ""
        yield from (f"- {linked(remedy)}" for remedy in known.remedies)
    yield ""
    yield "## Words of runs and months"
    yield ""
    yield "What the commands and their JSON say of runs and months; `cloudbill explain superseded`"
    yield "prints the same."
    yield ""
    yield from table(
        ("word", "means"), ((f"`{word}`", in_cell(means)) for word, means in WORDS.items())
    )
    yield ""


def linked(text: str) -> str:
    """A text for a terminal, with links to the pages that it names."""
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", text)


def cli_page() -> Iterator[str]:
    """The page of commands."""
    root: Any = typer.main.get_command(app)
    commands = list(walk("cloudbill", root))
    # The commands of one module stay together.
    commands.sort(
        key=lambda named: (PANELS.index(getattr(named[1], PANEL)), named[1].callback.__module__)
    )
    yield "# The command line"
    yield ""
    yield "Made from the code by `just docs`. Every command also has `--help`."
    for panel in PANELS:
        yield ""
        yield f"**{panel}**"
        yield ""
        yield from table(
            ("command", "what it does"),
            (
                (f"[`{name}`](#{name.replace(' ', '-')})", in_cell(command.help))
                for name, command in commands
                if getattr(command, PANEL) == panel
            ),
        )
    yield ""
    yield "What the exit codes mean: [errors.md](errors.md)."
    for name, command in commands:
        yield ""
        yield f"## {name}"
        yield ""
        yield command.help.strip()
        yield ""
        context = command.make_context(name, [], resilient_parsing=True)
        yield "```text"
        yield " ".join([name, *command.collect_usage_pieces(context)])
        yield "```"
        yield ""
        rows = [row for option in command.params for row in described(option, context)]
        yield from table(("argument or option", "what it is"), rows)
    yield ""


def walk(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, in the order of the help, with the words that run it."""
    for word, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            for inner, found in walk(f"{name} {word}", command):
                setattr(found, PANEL, getattr(command, PANEL))
                yield inner, found
        else:
            yield f"{name} {word}", command


def described(option: Any, context: Any) -> Iterator[tuple[str, str]]:
    """The row of an argument or an option, from its help; none if it is hidden."""
    record = option.get_help_record(context)
    if record is None or getattr(option, "hidden", False):
        return
    label, text = record
    if option.param_type_name == "argument":
        label = re.sub(r" <\w[\w ]*>$", "", label)
    escaped = label.replace("|", "\\|")
    yield f"`{escaped}`", in_cell(text)


def configuration_parts() -> dict[str, Iterable[str]]:
    """The parts of the page of the configuration that come from the code."""
    return {
        "keys": table(
            ("key", "default", "example", "environment variable of Azure's", "what it is"),
            (
                (
                    f"`{key.name}`",
                    key.shown_default,
                    f"`{key.name} = {key.example}`",
                    f"`SOURCES__AZURE_BILLING__{key.name.upper()}`",
                    key.description,
                )
                for key in KEYS
            ),
        ),
        "sections": table(
            ("provider", "section", "variables begin with", "`table_name` by default"),
            (
                (
                    f"{provider.TITLE} (`{provider.NAME}`)",
                    f"`[sources.{provider.SECTION}]`",
                    f"`SOURCES__{provider.SECTION.upper()}__`",
                    f"`{provider.DEFAULT_TABLE}`",
                )
                for provider in PROVIDERS.values()
            ),
        ),
    }


def with_parts(page: str, parts: Mapping[str, Iterable[str]]) -> str:
    """A page with the parts from the code between their marks."""
    text = (DOCS / page).read_text()
    for name, lines in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"docs/{page} has no place for the {name}")
        text = "\n".join([before + begin.rstrip(), *lines, end + after])
    return text


def faults_table() -> Iterator[str]:
    """The rules that the view of faults counts by, and what to do."""
    return table(
        ("rule", "what is wrong", "what to do", "published in"),
        (
            (f"`{rule.name}`", in_cell(rule.title), in_cell(rule.remedy), in_cell(rule.source))
            for rule in fault_rules()
        ),
    )


def documents_part() -> Iterator[str]:
    """A heading and a table of keys for each schema; those of a line by its event."""
    files = {path.stem: path.read_text() for path in sorted(SCHEMAS.glob("*.json"))}
    # What is its own for common.json is not for those that refer to it.
    files["common"] = files["common"].replace('"#/', '"common.json#/')
    schemas = {name: json.loads(text) for name, text in files.items()}
    shared = schemas.pop("common")["$defs"]
    for name, schema in schemas.items():
        yield ""
        yield f"## {schema['title']}"
        yield ""
        yield f"{schema['description']} Schema: [{name}.json](schemas/{name}.json)."
        yield ""
        known = {f"common.json#/$defs/{key}": value for key, value in shared.items()}
        known |= {f"#/$defs/{key}": value for key, value in schema.get("$defs", {}).items()}
        if "oneOf" not in schema:
            yield from table(KEYS_HEAD, keys_of(schema, known))
            continue
        for event in (known[one["$ref"]] for one in schema["oneOf"]):
            yield f"**{event['properties']['event']['const']}**: {event['description']}"
            yield ""
            yield from table(KEYS_HEAD, keys_of(event, known))
            yield ""


def keys_of(schema: Any, known: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, ...]]:
    """The rows of the keys of an object, and of those within them."""
    for key, given in schema["properties"].items():
        value = resolved(given, known)
        kind, inner = kind_of(value, known)
        sometimes = "" if key in schema["required"] else "; not always there"
        yield f"`{path}{key}`", f"{kind}{sometimes}", in_cell(value["description"])
        if "properties" in inner:
            dots = "[]." if "items" in value else "."
            yield from keys_of(inner, known, f"{path}{key}{dots}")


def kind_of(value: Any, known: Mapping[str, Any]) -> tuple[str, Any]:
    """What a value is, in words, and the object within it that has keys of its own."""
    if "anyOf" in value:
        kind, inner = kind_of(resolved(value["anyOf"][0], known), known)
        return f"{kind} or null", inner
    if "items" in value:
        inner = resolved(value["items"], known)
        kind, deeper = kind_of(inner, known)
        return f"list of {kind}", deeper
    if "title" in value:
        return value["title"], value
    words = value.get("enum", [value["const"]] if "const" in value else [])
    if words:
        return ", ".join(f"`{word}`" for word in words), value
    named = value["type"] if isinstance(value["type"], list) else [value["type"]]
    kind = " or ".join(named).replace("string", "text").replace("boolean", "true or false")
    return kind, value


def resolved(value: Any, known: Mapping[str, Any]) -> Any:
    """A schema with what it refers to; its own description goes first."""
    if "$ref" not in value:
        return value
    return {
        **resolved(known[value["$ref"]], known),
        **{k: v for k, v in value.items() if k != "$ref"},
    }


def columns_page() -> Iterator[str]:
    """The page that says how each column of the FOCUS views is filled."""
    yield "# How each column of FOCUS is filled"
    yield ""
    yield "Made from the data by `just docs`. [focus.md](focus.md) says what the views are. The"
    yield "expressions are in the file below each provider, which is what the views are made of."
    for provider in PROVIDERS.values():
        mapping = mapping_of(provider.NAME)
        yield ""
        yield f"## {mapping.title}"
        yield ""
        file = f"{provider.NAME}.toml"
        yield f"Section `[sources.{provider.SECTION}]`; [{file}]({DATA}/{file})."
        yield from columns_of_provider(mapping)
    yield ""


def columns_of_provider(mapping: ProviderMapping) -> Iterator[str]:
    """The columns of one provider, then its rows that are split, dropped or left over."""
    if mapping.delivers_focus:
        as_it_is = [one.name for one in columns_of(Version.V1_2) if one.name not in mapping.columns]
        yield ""
        yield "As delivered, and NULL where a version does not have the column:"
        yield f"{', '.join(f'`{name}`' for name in as_it_is)}."
    focus = {one.name for version in Version for one in columns_of(version)}
    parts = [
        ("Columns of FOCUS 1.2", {one.name for one in columns_of(Version.V1_2)}),
        ("Columns that only FOCUS 1.4 has", focus - {one.name for one in columns_of(Version.V1_2)}),
        ("Columns beyond FOCUS", mapping.columns.keys() - focus),
    ]
    for title, names in parts:
        entries = {name: entry for name, entry in mapping.columns.items() if name in names}
        if entries:
            yield from entries_table(title, entries)
    for split in mapping.splits:
        title = f"Charges that are split: `{split.name}`"
        told = f"{split.rule} Columns that are not listed are as in the first one."
        yield from entries_table(title, split.columns, told)
    if mapping.left_over is not None:
        over = mapping.left_over
        alike = ", ".join(f"`{one.partition(':')[0]}`" for one in over.group)
        told = f"{over.rule} Lines belong together that are alike in {alike}."
        yield from entries_table("What negations leave over", over.columns, told)


def entries_table(title: str, entries: Mapping[str, Entry], rule: str = "") -> Iterator[str]:
    """A table of how some columns are filled, below its heading."""
    yield ""
    yield f"**{title}**"
    yield ""
    if rule:
        yield rule
        yield ""
    yield from table(
        ("column", "what it is", "published in"),
        (
            (
                f"`{name}`",
                in_cell(entry.rule if entry.null is None else f"NULL. {entry.null}"),
                in_cell(entry.source),
            )
            for name, entry in sorted(entries.items(), key=lambda one: one[0].lower())
        ),
    )


def services_page() -> Iterator[str]:
    """The page of the categories of the services in reports of AWS."""
    lookup = lookup_of("services")
    yield "# The categories of AWS's services"
    yield ""
    yield "Made from the data by `just docs`. A report of AWS has no categories, so the"
    yield "[FOCUS views](focus.md) have them by the code of the product, from"
    yield f"[services.csv]({DATA}/services.csv), with {len(lookup.keys)} codes. Others are `Other`."
    yield "Exports of FOCUS have the categories that AWS delivers."
    yield ""
    names = ("ServiceCategory", "ServiceSubcategory", "Source")
    yield from table(
        ("product code", *(f"`{name}`" for name in names[:2]), "by"),
        (
            (f"`{key}`", *map(in_cell, values))
            for key, *values in zip(
                lookup.keys, *(lookup.values[name] for name in names), strict=True
            )
        ),
    )
    yield ""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def in_cell(text: str) -> str:
    """A text that does not end a cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
