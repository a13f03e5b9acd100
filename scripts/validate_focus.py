"""Validates the view `focus` with the official validator of FOCUS 1.2.

    uv run python scripts/validate_focus.py WAREHOUSE.duckdb SCHEMA [--python 3.12]

The validator is in an environment of its own, `.validator`, because it needs Python 3.12 and
versions that cloudbill does not have. `--python` is a version, or the path of an interpreter, that
the environment is made with. What the validator finds is compared with `focus_findings.toml`, which
has the findings that are known and why they are right to be there. A finding that is not in it is
a failure, and so is one in it that is no longer found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from cloudbill.focus.columns import FocusColumn, Kind, Version, columns_of
from cloudbill.sql import DUCKDB, Fragment

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".validator"
FINDINGS = ROOT / "scripts" / "focus_findings.toml"
# The newest pyarrow needs another numpy than the validator's pandas.
PACKAGES = ("focus-validator==2.2.1", "pyarrow==20.0.0")
MODEL = "focus_validator/rules/model-1.2.0.1.json"
VIEW = "focus"


def main() -> int:
    """Validates, prints what differs from the list, and gives the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("schema")
    parser.add_argument("--python", default="3.12")
    arguments = parser.parse_args()
    known = known_findings(FINDINGS.read_text(encoding="utf-8"))
    packages = ready_environment(arguments.python)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "focus.parquet")
        rows = export(arguments.warehouse, arguments.schema, file)
        results = validate(file, packages)
    texts = texts_of_rules(packages)
    found = findings(results)
    print(f"{rows:,} charges, {len(results)} rules, {len(found)} findings, {len(known)} known")
    return report(found, known, texts)


def ready_environment(python: str) -> Path:
    """Makes the environment of the validator if there is none; gives the folder of its packages."""
    interpreter = str(ENVIRONMENT / "bin" / "python")
    if not (ENVIRONMENT / "bin" / "focus-validator").exists():
        uv("venv", "--clear", "--python", python, str(ENVIRONMENT))
        uv("pip", "install", "--python", interpreter, *PACKAGES)
    command = [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def uv(*words: str) -> None:
    """Runs uv outside of the project, whose versions are not those of the validator."""
    folder = tempfile.gettempdir()
    if subprocess.run(["uv", *words, "--quiet"], cwd=folder, check=False).returncode:
        raise SystemExit("No environment for the validator: `--python` is one that uv finds.")


def export(warehouse: Path, schema: str, file: Path) -> int:
    """Writes the view in the columns of FOCUS 1.2; gives how many charges it has."""
    query = DUCKDB.compose(
        "SELECT {columns} FROM {view}",
        columns=[exported(column) for column in columns_of(Version.V1_2)],
        view=(schema, VIEW),
    )
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        charges = connection.sql(str(query))
        charges.write_parquet(str(file))
        rows = len(connection.read_parquet(str(file)))
    if not rows:
        raise SystemExit(f"{schema}.{VIEW} has no charges to validate")
    return rows


def exported(column: FocusColumn) -> Fragment:
    """A column of the view in a type that the validator reads: an object is text to it."""
    template = "CAST({name} AS VARCHAR) AS {name}" if column.kind is Kind.JSON else "{name}"
    return DUCKDB.compose(template, name=column.name)


def validate(file: Path, packages: Path) -> dict[str, str]:
    """Runs the validator; gives what became of each rule: passed, skipped, failed or an error.

    It starts in the folder of its packages, because it opens its list of currencies by a relative
    path. It exits with 0 also where rules fail, so that only its result tells.
    """
    results = file.with_suffix(".xml")
    done = subprocess.run(
        [
            str(ENVIRONMENT / "bin" / "focus-validator"),
            *("--data-file", str(file)),
            *("--validate-version", "1.2"),
            "--block-download",
            *("--applicability-criteria", "ALL"),
            *("--output-type", "unittest"),
            *("--output-destination", str(results)),
        ],
        cwd=packages,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode or not results.exists():
        raise SystemExit(f"The validator stopped with {done.returncode}:\n{done.stderr}")
    outcome = outcomes(results.read_text(encoding="utf-8"))
    if "passed" not in outcome.values():
        raise SystemExit(f"The validator tested nothing:\n{done.stderr}")
    return outcome


def outcomes(text: str) -> dict[str, str]:
    """What became of each rule, by `rule :: kind`, from the validator's result."""
    # The validator has written it just now, and nobody else.
    cases = ET.fromstring(text).iter("testcase")  # noqa: S314
    return {case.get("name", ""): case[0].tag if len(case) else "passed" for case in cases}


def findings(results: Mapping[str, str]) -> list[str]:
    """The rules that failed, without those that failed only because they consist of such ones."""
    failed = [
        tuple(name.split(" :: ", maxsplit=1))
        for name, outcome in results.items()
        if outcome in {"failure", "error"}
    ]
    single = {rule for rule, kind in failed if kind != "Composite"}
    columns = {column_of(rule) for rule in single}
    composite = {
        rule
        for rule, kind in failed
        if kind == "Composite" and column_of(rule) not in {*columns, "CostAndUsage"}
    }
    return sorted(single | composite)


def column_of(rule: str) -> str:
    """The column that a rule is about; `CostAndUsage` for what is about all of them."""
    return rule.split("-", maxsplit=1)[0]


def known_findings(text: str) -> dict[str, str]:
    """The reviewed findings, each with its reason."""
    known: dict[str, str] = {}
    for finding in tomllib.loads(text).get("findings", []):
        rule, reason = finding["rule"], finding["reason"].strip()
        if not reason or rule in known:
            raise SystemExit(f"{FINDINGS.name}: {rule} needs one entry, and a reason")
        known[rule] = reason
    return known


def texts_of_rules(packages: Path) -> dict[str, str]:
    """What each rule of the validator demands."""
    model = json.loads(packages.joinpath(MODEL).read_text(encoding="utf-8"))
    return {
        name: rule["ValidationCriteria"]["MustSatisfy"]
        for name, rule in model["ModelRules"].items()
    }


def report(found: Iterable[str], known: Mapping[str, str], texts: Mapping[str, str]) -> int:
    """Prints new findings, ready for the list, and those of the list that are gone."""
    found = set(found)
    new = sorted(found - set(known))
    gone = sorted(set(known) - found)
    for rule in new:
        print(f"\n# {texts.get(rule, 'A rule that the model does not have.')}")
        print(f'[[findings]]\nrule = "{rule}"\nreason = ""')
    for rule in gone:
        print(f"\n{rule} is in {FINDINGS.name}, but is not found any more: take it out.")
    print(f"\n{len(new)} new, {len(gone)} gone" if new or gone else "As known.")
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main())
