"""Who may import whom: what the docstring of each package says is true of its modules."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping

from cloudbill.cli.commands import COMMANDS
from unit.source_tree import MODULES, PACKAGE, Module, calls, read_rules

CLIENTS = ("adlfs", "dlt", "duckdb", "fsspec", "gcsfs", "google", "pyarrow", "requests", "s3fs")
OUTSIDE = {"http", "io", "os", "pathlib", "shutil", "socket", "subprocess"}
TOP_MODULES = 16
WAREHOUSES = {"cloudbill.warehouses.bigquery", "cloudbill.warehouses.duckdb"}
COMMAND_MODULES = sorted({f"cloudbill.cli.{command.module}" for command in COMMANDS})


def unit_of(module: Module) -> str:
    """The package of a module, or the module itself at the top, as rules name them."""
    if module.package:
        return module.package
    return "cli" if module.short == "__main__" else module.short.replace("__init__", "")


def imported(module: Module, *, on_import: bool = False) -> list[Module]:
    """The modules of ours that a module imports, or imports as soon as it is imported itself."""
    wanted = [found for found in module.imports if not (on_import and found.inside)]
    return [MODULES[found.ours] for found in wanted if found.ours]


def is_pure(module: Module) -> bool:
    """Whether a rule says that a module is pure."""
    return module.file.name == "__init__.py" or read_rules()[module.package].holds_pure(module)


def circle(arrows: Mapping[str, Iterable[str]]) -> list[str]:
    """The names on one way that leads back to where it began, or nothing."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        found = next(filter(None, (walk(next_, [*way, name]) for next_ in arrows[name])), [])
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in arrows)), [])


class TestPackages:
    """The line `May import: ...` of each package, and `Pure: ...` where it has one."""

    def test_packages_import_what_their_rule_allows(self) -> None:
        rules = read_rules()
        allowed = {unit: rule.may_import | {unit} for unit, rule in rules.items()}
        ground = {module.short for module in MODULES.values() if not module.package} & (
            rules[""].pure or set()
        )
        faults = [
            f"{module.name} imports {target.name}"
            for module in MODULES.values()
            for target in imported(module)
            if module.package and unit_of(target) not in allowed[unit_of(module)] | ground
        ]

        assert not faults

    def test_modules_at_the_top_import_what_the_rule_of_the_top_allows(self) -> None:
        allowed = read_rules()[""].may_import
        faults = [
            f"{module.name} imports {target.name}"
            for module in MODULES.values()
            for target in imported(module)
            if not module.package and module.short != "__main__"
            if target.package and target.package not in allowed
        ]

        assert not faults

    def test_rules_allow_nothing_that_is_not_used(self) -> None:
        used: dict[str, set[str]] = {}
        for module in MODULES.values():
            used.setdefault(unit_of(module) if module.package else "", set()).update(
                unit_of(target) for target in imported(module)
            )
        unused = {
            package: sorted(rule.may_import - used[package])
            for package, rule in read_rules().items()
            if rule.may_import - used[package]
        }

        assert not unused

    def test_rules_name_what_exists(self) -> None:
        units = {unit_of(module) for module in MODULES.values()}
        for package, rule in read_rules().items():
            modules = {module.short for module in MODULES.values() if module.package == package}

            assert rule.may_import <= units, package
            assert (rule.pure or set()) <= modules, package

    def test_no_way_leads_from_one_warehouse_to_the_other(self) -> None:
        for warehouse in WAREHOUSES:
            (other,) = WAREHOUSES - {warehouse}
            ways = {name: [name] for name in MODULES if name.startswith(warehouse)}
            left = list(ways)
            while left:
                name = left.pop()
                # The door opens either of them, and imports it when it does.
                door = name == "cloudbill.warehouses"
                for target in imported(MODULES[name], on_import=door):
                    if target.name not in ways:
                        ways[target.name] = [*ways[name], target.name]
                        left.append(target.name)

            assert not [way for name, way in ways.items() if name.startswith(other)]

    def test_no_circle_leads_from_a_package_back_to_itself(self) -> None:
        arrows: dict[str, set[str]] = {}
        for module in MODULES.values():
            unit = unit_of(module).partition("/")[0]
            targets = {unit_of(target).partition("/")[0] for target in imported(module)}
            arrows.setdefault(unit, set()).update(targets - {unit})

        assert not circle(arrows)

    def test_a_circle_is_found(self) -> None:
        assert circle({"a": ["b", "d"], "b": ["c"], "c": ["b"], "d": []}) == ["b", "c", "b"]
        assert circle({"a": ["b", "c"], "b": ["c"], "c": []}) == []

    def test_the_top_has_few_modules(self) -> None:
        assert len(list(PACKAGE.glob("*.py"))) <= TOP_MODULES


class TestPureModules:
    """Modules that a rule calls pure know no client and open nothing."""

    def test_pure_modules_import_pure_modules_and_the_standard_library(self) -> None:
        pure = [module for module in MODULES.values() if is_pure(module)]
        faults = []
        for module in pure:
            if module.file.name == "__init__.py" and read_rules()[module.package].pure is not None:
                continue
            for found in module.imports:
                top = found.module.split(".")[0]
                if found.ours:
                    if not is_pure(MODULES[found.ours]):
                        faults.append(f"{module.name} imports {found.ours}")
                elif top not in sys.stdlib_module_names or top in OUTSIDE:
                    faults.append(f"{module.name} imports {found.module}")

        assert len(pure) > len(read_rules())
        assert not faults

    def test_pure_modules_open_nothing(self) -> None:
        assert not [
            module.name
            for module in MODULES.values()
            if is_pure(module) and "open" in set(calls(module.tree))
        ]


def modules_after(program: str, *arguments: str) -> tuple[str, set[str]]:
    """What a program prints, and every module that it has imported when it ends."""
    program = f"import sys\n{program}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, set(done.stderr.split())


def clients(modules: Iterable[str]) -> set[str]:
    """The clients among modules."""
    return {module.split(".")[0] for module in modules} & set(CLIENTS)


class TestWeight:
    """Clients load when they are needed, commands when called, so that `--help` does not pay."""

    COMMAND = "from cloudbill.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass"

    def test_importing_brings_no_client(self) -> None:
        names = ["cloudbill", "cloudbill.cli", "cloudbill.settings", *COMMAND_MODULES]
        _, modules = modules_after(f"import {', '.join(names)}")

        assert set(names) <= modules
        assert not clients(modules)

    def test_help_brings_no_client_and_no_command(self) -> None:
        shown, modules = modules_after(self.COMMAND, "--help")

        assert "Load every month" in shown
        assert not clients(modules)
        assert {module for module in modules if module.split(".")[0] == "cloudbill"} == {
            "cloudbill",
            "cloudbill.cli",
            "cloudbill.cli.app",
            "cloudbill.cli.commands",
            "cloudbill.cli.output",
            "cloudbill.cli.signals",
        }

    def test_help_of_a_command_brings_no_client_and_no_other_command(self) -> None:
        shown, modules = modules_after(self.COMMAND, "explain", "--help")

        assert "Say what an error or an exit code means" in shown
        assert not clients(modules)
        assert modules & set(COMMAND_MODULES) == {"cloudbill.cli.explaining"}
