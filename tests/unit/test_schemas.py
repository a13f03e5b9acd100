"""The schemas of the documents that commands print: complete, exact, and true of the code."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final

import pytest
import typer
from jsonschema import Draft202012Validator

from cloudbill.alerts.alert import Kind
from cloudbill.alerts.messages import MessageKind
from cloudbill.cli import app
from cloudbill.errors import Guard
from cloudbill.loading.outcome import counts_of
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.status import MonthState, Pending
from cloudbill.models import SkipReason
from cloudbill.settings.origins import Origin
from cloudbill.text.exit_codes import EXIT_CODES
from documents import ALERT, DOCUMENTS, LOG_LINE, OTHERS, SHARED, document_of, fits, names, schema
from unit.schema_samples import SAMPLES
from unit.source_tree import MODULES, raised

EVERY: Final = [*names(), SHARED]
DEFINED: Final[Mapping[str, Any]] = schema(SHARED)["$defs"]
CODE: Final = {
    node.value
    for module in MODULES.values()
    for node in ast.walk(module.tree)
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
}


def objects(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema within a schema that says which keys an object has."""
    if isinstance(node, Mapping):
        if "properties" in node and node.get("type") == "object":
            yield node
        for inner in node.values():
            yield from objects(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from objects(inner)


def spoken(node: Any) -> Iterator[str]:
    """Every word that a schema lists."""
    if isinstance(node, Mapping):
        yield from (word for word in node.get("enum", ()) if isinstance(word, str))
        if "const" in node:
            yield node["const"]
        for inner in node.values():
            yield from spoken(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from spoken(inner)


def renamed(node: Any) -> Iterator[tuple[str, Any]]:
    """A document with one key renamed, for each key of it, and the key."""

    def places(inner: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        items = inner.items() if isinstance(inner, dict) else enumerate(inner)
        for key, value in items:
            yield (*path, key)
            if isinstance(value, dict | list):
                yield from places(value, (*path, key))

    for *path, key in places(node, ()):
        if isinstance(key, str):
            changed = copy.deepcopy(node)
            at = changed
            for step in path:
                at = at[step]
            at[f"{key}_"] = at.pop(key)
            yield key, changed


def commands(group: Any, *path: str) -> Iterator[tuple[str, set[str]]]:
    """The options of every command, by its words."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, word)
        else:
            yield " ".join((*path, word)), {opt for one in command.params for opt in one.opts}


class TestSchemas:
    @pytest.mark.parametrize("name", EVERY)
    def test_a_schema_is_one_and_names_all_that_an_object_has(self, name: str) -> None:
        Draft202012Validator.check_schema(schema(name))
        assert schema(name)["title"]
        for one in objects(schema(name)):
            assert one["additionalProperties"] is False
            assert set(one["required"]) <= set(one["properties"])
            for key, value in one["properties"].items():
                assert "description" in value or "$ref" in value, key

    def test_every_command_that_prints_json_has_a_schema_and_every_schema_a_command(self) -> None:
        options = dict(commands(typer.main.get_command(app)))
        assert {name for name, known in options.items() if "--json" in known} == set(DOCUMENTS)
        assert all(option in options[command] for command, option in OTHERS)
        assert {*DOCUMENTS.values(), *OTHERS.values(), LOG_LINE, ALERT} == set(names())

    def test_options_decide_which_document_is_printed(self) -> None:
        assert document_of(("load", "azure", "--json", "--dry-run")) == "plan"
        assert document_of(("verify", "--json")) == "verify"
        assert document_of(("config", "show", "--json")) == "config-show"


class TestWords:
    @pytest.mark.parametrize("name", EVERY)
    def test_every_word_is_one_that_the_code_can_say(self, name: str) -> None:
        errors = raised(import_module("cloudbill.errors"))
        levels = {"debug", "critical"}  # of messages that libraries log
        assert not {*spoken(schema(name))} - CODE - {*errors} - levels

    @pytest.mark.parametrize(
        ("said", "known"),
        [
            (DEFINED["guard"]["enum"], [*Guard]),
            (DEFINED["skip_reason"]["enum"], [*SkipReason]),
            (DEFINED["verdict"]["enum"], [*Verdict]),
            (DEFINED["exit_code"]["enum"], [one.code for one in EXIT_CODES]),
            (DEFINED["error"]["enum"], sorted(raised(import_module("cloudbill.errors")))),
            (schema("status")["$defs"]["pending"]["properties"]["reason"]["enum"], [*Pending]),
            (schema("alert")["properties"]["kind"]["enum"], [*MessageKind]),
            (schema("alert")["$defs"]["reason"]["properties"]["kind"]["enum"], [*Kind]),
            (schema("alert")["$defs"]["ended"]["properties"]["kind"]["enum"], [*Kind]),
            (schema("config-show")["$defs"]["key"]["properties"]["from"]["enum"], [*Origin]),
            (schema("status")["$defs"]["month"]["properties"]["state"]["enum"], [*MonthState]),
        ],
    )
    def test_what_the_code_can_say_is_in_the_schema(
        self, said: list[object], known: list[object]
    ) -> None:
        assert said == known

    def test_the_last_line_of_a_log_has_every_count(self) -> None:
        finished = schema(LOG_LINE)["$defs"]["finished"]["required"]
        assert set(counts_of([])) == {*finished} - {
            "time",
            "level",
            "event",
            "exit_code",
            "seconds",
        }


class TestDocuments:
    @pytest.mark.parametrize("name", names())
    def test_documents_fit_and_no_longer_when_a_key_is_renamed(self, name: str) -> None:
        named_by_data = {"", "EUR", "BilledCost", "Cost", "cost"}  # currencies and columns
        seen: set[str] = set()
        for text in SAMPLES[name]():
            document = json.loads(text)
            assert fits(name, document)
            for key, changed in renamed(document):
                seen.add(key)
                assert key in named_by_data or not fits(name, changed), key
        known = {key for one in objects(schema(name)) for key in one["properties"]}
        assert known <= seen

    def test_an_amount_that_is_a_number_does_not_fit(self) -> None:
        document = json.loads([*SAMPLES["load"]()][-1])
        document["loads"][0]["totals"]["EUR"]["BilledCost"] = 1.5
        assert not fits("load", document)
