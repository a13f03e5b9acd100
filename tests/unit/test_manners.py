"""What holds for every module: its size, its words, what it prints, and what is public."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import cloudbill
from cloudbill.cli.commands import COMMANDS, PANELS
from unit.source_tree import MODULES, PACKAGE, calls, raised

TESTS = Path(__file__).parents[1]
LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 60
BROAD = {"BaseException", "Exception"}


def public_names(name: str) -> list[str]:
    """The `__all__` of a module, or nothing."""
    return list(getattr(import_module(name), "__all__", []))


def broad_handlers(tree: ast.AST) -> Iterator[int]:
    """Lines that catch or suppress every exception there is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if not node.type or names_of(node.type) & BROAD:
                yield node.lineno
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and any(names_of(kind) & BROAD for kind in node.args)
        ):
            yield node.lineno


def names_of(node: ast.AST) -> set[str]:
    """Every name within an expression."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


class TestSize:
    def test_files_are_short(self) -> None:
        lengths = {
            str(file): len(file.read_text(encoding="utf-8").splitlines())
            for folder in (PACKAGE, TESTS)
            for file in folder.rglob("*")
            if file.suffix in {".css", ".html", ".js", ".py"}
        }

        assert {PACKAGE / "report/program/page.js", Path(__file__)} <= {*map(Path, lengths)}
        assert not {name: lines for name, lines in lengths.items() if lines > LINES_OF_A_FILE}

    def test_functions_are_short(self) -> None:
        assert not [
            f"{module.name}.{node.name}"
            for module in MODULES.values()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.end_lineno
            and node.end_lineno - node.lineno >= LINES_OF_A_FUNCTION
        ]


class TestManners:
    def test_only_the_command_line_prints_or_exits(self) -> None:
        endings = {"print", "exit", "quit", "sys.exit", "os._exit", "typer.echo", "typer.Exit"}
        others = [
            one for one in MODULES.values() if one.package != "cli" and one.short != "__main__"
        ]

        assert len(others) < len(MODULES)
        assert not [
            module.name
            for module in others
            if set(calls(module.tree)) & endings or "SystemExit" in names_of(module.tree)
        ]

    def test_only_the_loop_over_sources_catches_every_exception(self) -> None:
        assert [
            module.name for module in MODULES.values() for _ in broad_handlers(module.tree)
        ] == ["cloudbill.cli.each_source"]

    @pytest.mark.parametrize(
        "text",
        [
            "try: f()\nexcept: pass",
            "try: f()\nexcept Exception: pass",
            "try: f()\nexcept (OSError, BaseException) as error: pass",
            "with suppress(Exception): f()",
            "with contextlib.suppress(OSError, Exception): f()",
        ],
    )
    def test_what_catches_every_exception_is_found(self, text: str) -> None:
        assert list(broad_handlers(ast.parse(text)))

    def test_what_adds_an_extra_is_said_by_one_module_alone(self) -> None:
        # Another command than that of the installation changes an environment that nobody uses.
        hints = re.compile(r"(pip|pipx|uv|uv tool) (install|add|inject)\b")
        assert [name for name, one in MODULES.items() if hints.search(one.file.read_text())] == [
            "cloudbill.text.installing"
        ]

    def test_modules_say_what_they_are_for(self) -> None:
        assert not [name for name, module in MODULES.items() if not ast.get_docstring(module.tree)]

    def test_modules_are_named_for_what_they_do(self) -> None:
        vague = {"common", "helpers", "manager", "service", "utils"}

        assert not [name for name in MODULES if set(name.replace("_", ".").split(".")) & vague]

    def test_tree_of_errors_says_what_the_classes_do(self) -> None:
        errors = import_module("cloudbill.errors")
        told = [
            line.split("──")[-1].split()[:2]
            for line in str(errors.__doc__).splitlines()
            if "Error " in line
        ]

        assert {name: int(code) for name, code in told} == {
            name: error.exit_code for name, error in raised(errors).items()
        }


class TestCommands:
    """What the help of the application says of a command is true of the command."""

    def test_commands_are_what_the_list_says(self) -> None:
        for listed in COMMANDS:
            made = listed.make()

            assert made.name == listed.name
            assert made.get_short_help_str(limit=200) == listed.summary
            assert made.rich_help_panel == listed.panel
            assert listed.panel in PANELS
            assert not made.hidden

    def test_list_has_what_the_modules_have(self) -> None:
        listed = [(f"cloudbill.cli.{command.module}", command.function) for command in COMMANDS]

        assert sorted(listed) == [
            (module, name)
            for module in sorted({module for module, _ in listed})
            for name in public_names(module)
        ]


class TestPublicNames:
    def test_public_names_are_sorted_and_exist(self) -> None:
        names = {module: public_names(module) for module in MODULES}

        assert not [module for module, found in names.items() if found != sorted(set(found))]
        assert not [
            f"{module}.{name}"
            for module, found in names.items()
            for name in found
            if not hasattr(import_module(module), name)
        ]

    def test_names_that_others_import_are_public(self) -> None:
        public = {name: set(public_names(name)) for name in MODULES}

        assert not [
            f"{module.name} imports {found.taken} from {found.module}"
            for module in MODULES.values()
            for found in module.imports
            if found.ours == found.module and found.taken and found.taken not in public[found.ours]
        ]

    def test_package_shows_its_public_names_alone(self) -> None:
        assert dir(cloudbill) == sorted(cloudbill.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = cloudbill.nothing

    def test_public_names_are_the_things_of_those_names(self) -> None:
        assert [getattr(cloudbill, name).__name__ for name in cloudbill.__all__] == list(
            cloudbill.__all__
        )
