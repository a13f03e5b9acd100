"""The source of the package as the tests of its build read it: modules, imports, rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

import cloudbill
from cloudbill.errors import CloudbillError

__all__ = [
    "MODULES",
    "PACKAGE",
    "Import",
    "Module",
    "Rule",
    "Rules",
    "calls",
    "raised",
    "read_rules",
]

PACKAGE: Final = Path(cloudbill.__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One name that a module imports, and where: `inside` is true within a function."""

    module: str
    taken: str
    inside: bool

    @property
    def ours(self) -> str | None:
        """The module of ours that is imported."""
        deeper = f"{self.module}.{self.taken}"
        return deeper if deeper in MODULES else self.module if self.module in MODULES else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One module: its dotted name without `cloudbill.`, and its source."""

    name: str
    file: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """The innermost package, with slashes; that of the top is empty."""
        return self.file.parent.relative_to(PACKAGE).as_posix().removeprefix(".")

    @property
    def short(self) -> str:
        """The name within its package."""
        return self.file.stem

    @property
    def imports(self) -> tuple[Import, ...]:
        """Everything that is imported, also for the types alone and within functions."""
        return tuple(_imports(self.tree, inside=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the docstring of a package allows."""

    pure: frozenset[str] | None
    """Modules that are pure; `None` for all of them."""
    may_import: frozenset[str]
    """Packages, and modules of the top."""

    def holds_pure(self, module: Module) -> bool:
        """Whether a module of the package is said to be pure."""
        return self.pure is None or module.short in self.pure


Rules = dict[str, Rule]


def _imports(node: ast.AST, *, inside: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(module=name.name, taken="", inside=inside) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            for name in child.names:
                yield Import(module=str(child.module), taken=name.name, inside=inside)
        within = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _imports(child, inside=within)


def _modules() -> Iterator[tuple[str, Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        yield name, Module(name=name, file=file, tree=ast.parse(file.read_text(encoding="utf-8")))


MODULES: Final[dict[str, Module]] = dict(_modules())


def calls(tree: ast.AST) -> Iterator[str]:
    """Every name that is called, dotted where it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield ast.unparse(node.func)


@cache
def read_rules() -> Rules:
    """The rule of every package, as its docstring has it.

    Raises:
        AssertionError: A docstring has no line `May import: ...`.
    """
    packages = [module for module in MODULES.values() if module.file.name == "__init__.py"]
    return {module.package: _rule(module) for module in packages}


def _rule(module: Module) -> Rule:
    text = ast.get_docstring(module.tree) or ""
    may = re.search(r"^May import: ([^.]+)\.", text, flags=re.MULTILINE)
    assert may, f"{module.name} has no line `May import: ...`"
    pure = re.search(r"^Pure(?:: ([^.]+))?\.", text, flags=re.MULTILINE)
    return Rule(
        pure=None if pure and not pure[1] else _names(pure[1] if pure else ""),
        may_import=_names(may[1]) - {"nothing"},
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def raised(module: ModuleType) -> dict[str, type[CloudbillError]]:
    """The errors among the public names of a module."""
    named = {name: getattr(module, name) for name in module.__all__}
    return {
        name: found
        for name, found in named.items()
        if isinstance(found, type) and issubclass(found, CloudbillError)
    }
