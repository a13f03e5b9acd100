"""What holds for all modules: who imports whom, who prints, and what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import cloudbill
from cloudbill.cli.commands import COMMANDS, PANELS, Command

PACKAGE = Path(cloudbill.__file__).parent
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(file.read_text()) for name, file in MODULES.items()}
CLIENTS = ("adlfs", "dlt", "duckdb", "fsspec", "gcsfs", "google", "pyarrow", "requests", "s3fs")
PURE = [
    name
    for name in MODULES
    if name.startswith("cloudbill.providers")
    or name.removeprefix("cloudbill.")
    in {
        "ages",
        "amounts",
        "columns",
        "comparison",
        "cost_cube",
        "cost_query",
        "daily_totals",
        "documents",
        "errors",
        "explanations",
        "guards",
        "keys",
        "limits",
        "models",
        "planning",
        "reconciliation",
        "redaction",
        "sql",
        "text_table",
    }
]
LINES = 400
COMMAND_MODULES = sorted({f"cloudbill.cli.{command.module}" for command in COMMANDS})


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Every module that is imported anywhere in a tree, and the name that is taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((str(node.module), alias.name) for alias in node.names)


def calls(tree: ast.AST) -> Iterator[str]:
    """Every name that is called, dotted where it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func)


def public_names(name: str) -> list[str]:
    """The `__all__` of a module, or nothing."""
    return list(getattr(import_module(name), "__all__", []))


def run_and_list_modules(*arguments: str) -> tuple[str, set[str]]:
    """What a command prints, and every module that it has imported when it ends."""
    program = (
        "import sys\n"
        "from cloudbill.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, set(done.stderr.split())


class TestLayers:
    """`models`, `planning`, `columns`, `errors` and `providers` import no dlt, client or store."""

    @pytest.mark.parametrize("name", PURE)
    def test_pure_module_imports_pure_modules_and_the_standard_library(self, name: str) -> None:
        for module, taken in imports(TREES[name]):
            if module.split(".")[0] == "cloudbill":
                assert module in PURE or f"{module}.{taken}" in PURE, module
            else:
                assert module.split(".")[0] in sys.stdlib_module_names, module

    @pytest.mark.parametrize("name", PURE)
    def test_pure_module_opens_nothing(self, name: str) -> None:
        found = {module.split(".")[0] for module, _ in imports(TREES[name])}

        assert not found & {"http", "io", "os", "pathlib", "shutil", "socket", "subprocess"}
        assert "open" not in set(calls(TREES[name]))

    @pytest.mark.parametrize("name", MODULES)
    def test_only_the_pipeline_and_what_is_above_it_know_the_pipeline(self, name: str) -> None:
        above = {
            "cloudbill.accepting",
            "cloudbill.cli.console",
            "cloudbill.cli.display",
            "cloudbill.cli.loading",
            "cloudbill.loading.words",
            "cloudbill.pipeline",
            "cloudbill.report.collecting",
            "cloudbill.sources",
            "cloudbill.looking.status",
        }
        found = {module for module, _ in imports(TREES[name])}

        assert name in above or "cloudbill.pipeline" not in found

    @pytest.mark.parametrize("name", [name for name in MODULES if ".warehouses." in name])
    def test_warehouse_knows_no_other_warehouse(self, name: str) -> None:
        others = {"duckdb", "bigquery"} - {name.rpartition(".")[2].strip("_").partition("_")[0]}
        found = {module for module, _ in imports(TREES[name])}

        assert not [
            module
            for module in found
            if module.startswith("cloudbill.warehouses")
            and module.rpartition(".")[2].strip("_").partition("_")[0] in others
        ]


class TestWeight:
    """Clients load when they are needed, commands when called, so that `--help` does not pay."""

    @pytest.mark.parametrize(
        "name", ["cloudbill", "cloudbill.cli", "cloudbill.settings", *COMMAND_MODULES]
    )
    def test_import_brings_no_client(self, name: str) -> None:
        program = f"import sys, {name}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert not set(done.stdout.split()) & set(CLIENTS)

    def test_help_brings_no_client_and_no_command(self) -> None:
        shown, modules = run_and_list_modules("--help")

        assert "Load every month" in shown
        assert not {module.split(".")[0] for module in modules} & set(CLIENTS)
        assert {module for module in modules if module.split(".")[0] == "cloudbill"} == {
            "cloudbill",
            "cloudbill.cli",
            "cloudbill.cli.app",
            "cloudbill.cli.commands",
        }

    def test_help_of_a_command_brings_no_client_and_no_other_command(self) -> None:
        shown, modules = run_and_list_modules("explain", "--help")

        assert "Say what an error or an exit code means" in shown
        assert not {module.split(".")[0] for module in modules} & set(CLIENTS)
        assert modules & set(COMMAND_MODULES) == {"cloudbill.cli.explaining"}


class TestCommands:
    """What the help of the application says of a command is true of the command."""

    @pytest.mark.parametrize("listed", COMMANDS, ids=lambda listed: str(listed.name))
    def test_command_is_what_the_list_says(self, listed: Command) -> None:
        made = listed.make()

        assert made.name == listed.name
        assert made.get_short_help_str(limit=200) == listed.summary
        assert made.rich_help_panel == listed.panel
        assert listed.panel in PANELS
        assert not made.hidden

    def test_list_has_what_the_modules_have(self) -> None:
        listed = [(f"cloudbill.cli.{command.module}", command.name) for command in COMMANDS]

        assert sorted(listed) == [
            (module, name) for module in COMMAND_MODULES for name in public_names(module)
        ]


class TestPublicNames:
    @pytest.mark.parametrize("name", MODULES)
    def test_public_names_are_sorted_and_exist(self, name: str) -> None:
        names = public_names(name)

        assert names == sorted(set(names))
        for public in names:
            getattr(import_module(name), public)

    @pytest.mark.parametrize("name", MODULES)
    def test_names_that_others_import_are_public(self, name: str) -> None:
        for module, taken in imports(TREES[name]):
            if module in MODULES and f"{module}.{taken}" not in MODULES:
                assert taken in public_names(module), f"{module}.{taken}"

    def test_package_shows_its_public_names_alone(self) -> None:
        assert dir(cloudbill) == sorted(cloudbill.__all__)
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = cloudbill.nothing

    @pytest.mark.parametrize("name", cloudbill.__all__)
    def test_public_name_is_the_thing_of_that_name(self, name: str) -> None:
        assert getattr(cloudbill, name).__name__ == name


class TestManners:
    @pytest.mark.parametrize(
        "name", [name for name in MODULES if not name.startswith("cloudbill.cli")]
    )
    def test_only_the_command_line_prints_or_exits(self, name: str) -> None:
        endings = {"print", "exit", "quit", "sys.exit", "os._exit", "typer.echo", "typer.Exit"}

        assert not set(calls(TREES[name])) & endings
        assert not {node.id for node in ast.walk(TREES[name]) if isinstance(node, ast.Name)} & {
            "SystemExit"
        }

    @pytest.mark.parametrize("name", MODULES)
    def test_module_fits_in_the_head(self, name: str) -> None:
        assert len(MODULES[name].read_text().splitlines()) <= LINES

    @pytest.mark.parametrize("name", MODULES)
    def test_module_says_what_it_is_for(self, name: str) -> None:
        assert ast.get_docstring(TREES[name])

    @pytest.mark.parametrize("name", MODULES)
    def test_module_is_named_for_what_it_does(self, name: str) -> None:
        words = set(name.replace("_", ".").split("."))

        assert not words & {"common", "helpers", "manager", "service", "utils"}

    def test_tree_of_errors_says_what_the_classes_do(self) -> None:
        errors = import_module("cloudbill.errors")
        told = [
            line.split("──")[-1].split()[:2]
            for line in str(errors.__doc__).splitlines()
            if "Error " in line
        ]

        assert {name: int(code) for name, code in told} == {
            name: getattr(errors, name).exit_code for name in errors.__all__
        }
