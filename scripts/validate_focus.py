"""Validates the view `focus` with the official validator of FOCUS 1.2.

    uv run python scripts/validate_focus.py                          # the bundled sample
    uv run python scripts/validate_focus.py WAREHOUSE.duckdb SCHEMA  # a view of yours

The sample is validated twice: Azure's bill with AWS's report, and with AWS's export of FOCUS. What
the validator finds is compared with `focus_findings.toml`, which has the findings that are known
and why they are right to be there. A finding that is not in it is a failure, and so is one in it
that is no longer found in the sample.

The validator is in an environment of its own, `.validator`, because it needs Python 3.12, and
versions that cloudbill does not have (`focus_validator.txt`). An interpreter is searched on the
PATH and in pyenv; `--python` names another one. With `--skip-without-python` it is no failure that
there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb

from cloudbill.focus.columns import FocusColumn, Version, columns_of
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.view_dialects import Kind

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".validator"
FINDINGS = ROOT / "scripts" / "focus_findings.toml"
# A newer Python has no numpy that is as old as the validator's pandas needs it.
PYTHON = "3.12"
PACKAGES = ROOT / "scripts" / "focus_validator.txt"
MODEL = "focus_validator/rules/model-1.2.0.1.json"
VIEW = "focus"
SAMPLES = {
    "report": {"azure_billing": "azure/billing/focus-daily", "aws_billing": "aws/cur/cur-hourly"},
    "focus": {
        "azure_billing.again": "azure/billing/focus-daily",
        "aws_focus_billing": "aws/exports/focus-1-2",
    },
}
"""The datasets that the sample is loaded into, by the sources that are in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding that is known: the datasets of the sample that it is in, and why."""

    datasets: frozenset[str]
    reason: str


def main() -> int:
    """Validates, prints what differs from the list, and gives the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("warehouse", type=Path, nargs="?")
    parser.add_argument("schema", nargs="?")
    parser.add_argument("--python")
    parser.add_argument("--skip-without-python", action="store_true")
    arguments = parser.parse_args()
    if (arguments.warehouse is None) != (arguments.schema is None):
        parser.error("a warehouse needs the schema that its view is in")
    known = known_findings(FINDINGS.read_text(encoding="utf-8"))
    python = arguments.python or next(interpreters(), None)
    if python is None:
        print(f"The view {VIEW} is not validated: no Python {PYTHON} is found; try `--python`")
        return 0 if arguments.skip_without_python else 1
    packages = ready_environment(python)
    with tempfile.TemporaryDirectory() as folder:
        warehouse = arguments.warehouse or load_sample(Path(folder))
        schemas = [arguments.schema] if arguments.schema else list(SAMPLES)

        def validated(schema: str) -> tuple[int, dict[str, str]]:
            file = Path(folder, f"{schema}.parquet")
            return export(warehouse, schema, file), validate(file, packages)

        with ThreadPoolExecutor(max_workers=2) as pool:
            outcomes = dict(zip(schemas, pool.map(validated, schemas), strict=True))
    texts = texts_of_rules(packages)
    codes = []
    for schema, (rows, results) in outcomes.items():
        found = findings(results)
        print(f"{schema}: {rows:,} charges, {len(results)} rules, {len(found)} findings")
        here = {rule for rule, one in known.items() if arguments.schema or schema in one.datasets}
        gone = set() if arguments.schema else here - {*found}
        codes.append(report({*found} - here, gone, texts))
    return max(codes)


def interpreters() -> Iterator[str]:
    """The interpreters of this machine that the validator can have, as far as they start."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    named = shutil.which(f"python{PYTHON}")
    versions = sorted(pyenv.glob(f"versions/{PYTHON}*/bin/python{PYTHON}"))
    for path in (named, *map(str, versions)):
        # A shim of pyenv is there for versions that are not switched on, and then only fails.
        if (
            path
            and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
        ):
            yield path


def ready_environment(python: str) -> Path:
    """Makes the environment of the validator if it is not as it should be; gives its packages."""
    interpreter = str(ENVIRONMENT / "bin" / "python")
    made_of = ENVIRONMENT / PACKAGES.name
    if not made_of.exists() or made_of.read_text() != PACKAGES.read_text():
        uv("venv", "--clear", "--python", python, str(ENVIRONMENT))
        uv("pip", "install", "--python", interpreter, "--requirements", str(PACKAGES))
        shutil.copy(PACKAGES, made_of)
    command = [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def uv(*words: str) -> None:
    """Runs uv outside of the project, whose versions are not those of the validator."""
    folder = tempfile.gettempdir()
    if subprocess.run(["uv", *words, "--quiet"], cwd=folder, check=False).returncode:
        raise SystemExit("The environment of the validator cannot be made; uv says above why.")


def load_sample(folder: Path) -> Path:
    """Loads the bundled sample, a dataset for each way; gives the warehouse."""
    lines = ["[runtime]", "dlthub_telemetry = false"]
    for dataset, sources in SAMPLES.items():
        for source, place in sources.items():
            bucket, prefix, export_name = place.split("/")
            lines += [
                f"[sources.{source}]",
                f"bucket = {json.dumps(str(ROOT / 'sample_exports' / bucket))}",
                f'prefix = "{prefix}"\nexport_name = "{export_name}"',
                f'dataset = "{dataset}"\ntable_name = "{source.replace(".", "_")}_data"',
            ]
    (folder / ".dlt").mkdir()
    (folder / ".dlt" / "config.toml").write_text("\n".join(lines))
    command = [sys.executable, "-m", "cloudbill", "load", "all", "--quiet"]
    env = {**os.environ, "DLT_DATA_DIR": str(folder / "dlt")}
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"The sample cannot be loaded:\n{done.stderr}")
    return folder / "cloudbill.duckdb"


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


def known_findings(text: str) -> dict[str, Finding]:
    """The reviewed findings by their rules, each with its reason."""
    known: dict[str, Finding] = {}
    for entry in tomllib.loads(text).get("findings", []):
        rule, reason = entry["rule"], entry["reason"].strip()
        datasets = frozenset(entry.get("in", SAMPLES))
        if not reason or rule in known or not datasets <= SAMPLES.keys():
            raise SystemExit(
                f"{FINDINGS.name}: {rule} needs one entry, a reason, and in `in` some of "
                + ", ".join(SAMPLES)
            )
        known[rule] = Finding(datasets=datasets, reason=reason)
    return known


def texts_of_rules(packages: Path) -> dict[str, str]:
    """What each rule of the validator demands."""
    model = json.loads(packages.joinpath(MODEL).read_text(encoding="utf-8"))
    return {
        name: rule["ValidationCriteria"]["MustSatisfy"]
        for name, rule in model["ModelRules"].items()
    }


def report(new: Iterable[str], gone: Iterable[str], texts: Mapping[str, str]) -> int:
    """Prints new findings, ready for the list, and those of the list that are gone."""
    new, gone = sorted(new), sorted(gone)
    for rule in new:
        print(f"\n# {texts.get(rule, 'A rule that the model does not have.')}")
        print(f'[[findings]]\nrule = "{rule}"\nreason = ""')
    for rule in gone:
        print(f"\n{rule} is in {FINDINGS.name}, but is not found any more: take it out.")
    print(f"\n{len(new)} new, {len(gone)} gone" if new or gone else "As known.")
    return 1 if new or gone else 0


if __name__ == "__main__":
    sys.exit(main())
