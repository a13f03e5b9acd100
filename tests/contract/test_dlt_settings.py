"""What users set for dlt pipelines of their own neither moves nor breaks the ledger."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import dlt
import pytest
from dlt.common.configuration import resolve_configuration
from dlt.common.configuration.container import Container
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs import BaseConfiguration, CredentialsConfiguration
from dlt.common.configuration.specs.base_configuration import ContainerInjectableContext
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.exceptions import DltException

from cloudbill.ledger.dlt_settings import without_settings
from cloudbill.looking.load_history import read_history
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import DATASET, Case, DiskAndDuckDB

if TYPE_CHECKING:
    from contract.places import Place

MODULES = (
    "dlt.common.data_writers.buffered",
    "dlt.common.destination.client",
    "dlt.common.destination.configuration",
    "dlt.common.runners.configuration",
    "dlt.common.schema.configuration",
    "dlt.destinations.impl.bigquery.configuration",
    "dlt.destinations.impl.duckdb.configuration",
    "dlt.extract.extractors",
    "dlt.extract.pipe_iterator",
    "dlt.load.configuration",
    "dlt.normalize.configuration",
    "dlt.pipeline.configuration",
)
"""Where dlt says what can be set for a pipeline that loads into one of our warehouses."""

SECTIONS = (
    (),
    ("pipelines",),
    ("extract",),
    ("normalize",),
    ("load",),
    ("schema",),
    ("data_writer",),
    ("normalize", "data_writer"),
    ("destination",),
    ("destination", "duckdb"),
    ("destination", "bigquery"),
    ("azure_billing_pipeline",),
    ("azure_billing_pipeline", "load"),
    ("azure_billing_pipeline", "destination"),
    ("pipelines", "azure_billing_pipeline"),
)
"""Where dlt looks a setting up."""

NAMED = {
    "DEV_MODE": "true",
    "PIPELINES__DEV_MODE": "true",
    "DATASET_NAME_LAYOUT": "moved_%s",
    "SCHEMA__NAMING": "direct",
    "NORMALIZE__WORKERS": "3",
    "PROGRESS": "tqdm",
    "RESTORE_FROM_DESTINATION": "false",
    "USE_SINGLE_DATASET": "false",
    "REFRESH": "drop_sources",
    "LOAD__RAISE_ON_FAILED_JOBS": "false",
    "DESTINATION__DUCKDB__ENABLE_DATASET_NAME_NORMALIZATION": "true",
    "DESTINATION__DUCKDB__CREDENTIALS": "duckdb:///elsewhere.duckdb",
    "STAGING_TYPE": "filesystem",
    "EXPORT_SCHEMA_PATH": "exported",
}
"""Settings that people use, one by one."""


def specs() -> Iterator[type[BaseConfiguration]]:
    """Every class of dlt that says what can be set for such a pipeline."""
    for module in MODULES:
        importlib.import_module(module)
    waiting, seen = [BaseConfiguration], set[type[BaseConfiguration]]()
    while waiting:
        for spec in waiting.pop().__subclasses__():
            if spec not in seen:
                seen.add(spec)
                waiting.append(spec)
    for spec in sorted(seen, key=lambda spec: (spec.__module__, spec.__qualname__)):
        is_other = issubclass(spec, CredentialsConfiguration | ContainerInjectableContext)
        if spec.__module__ in MODULES and not is_other:
            yield spec


def settings_of(spec: type[BaseConfiguration]) -> Iterator[tuple[str, str]]:
    """Each setting of a class, and a value that is not the default."""
    for name, hint in spec.get_resolvable_fields().items():
        kinds = {hint, *get_args(hint)}
        default = getattr(spec, name, None)
        if any(isinstance(kind, type) and issubclass(kind, BaseConfiguration) for kind in kinds):
            continue
        if bool in kinds:
            yield name, str(not default).lower()
        elif int in kinds or float in kinds:
            yield name, str(int(default or 0) + 3)
        elif name in NAMES_AND_VALUES:
            yield name, NAMES_AND_VALUES[name]
        else:
            literals = [
                value
                for kind in kinds
                for value in get_args(kind) or ()
                if isinstance(value, str) and value != default
            ] + [kind for kind in kinds if isinstance(kind, str) and kind != default]
            yield name, literals[0] if literals else "moved"


NAMES_AND_VALUES = {
    "dataset_name_layout": "moved_%s",
    "staging_dataset_name_layout": "moved_%s",
    "naming": "direct",
    "progress": "tqdm",
    "pool_type": "process",
    "refresh": "drop_sources",
}

SETTINGS = sorted({setting for spec in specs() for setting in settings_of(spec)})


@pytest.fixture
def case(place: Place, tmp_path: Path) -> Case:
    """A place; the ledger does not depend on the provider."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=AzureWriter(), scratch=scratch)


def run(run_id: str, day: int) -> Delivery:
    """A run of October."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", "1", "2", note=run_id),
        submitted_at=at(f"2025-11-{day:02d} 04:00"),
        run_id=run_id,
    )


def load_twice(case: Case) -> list[str]:
    """Loads two runs, one after the other, and says what the history then has."""
    for day in (10, 11):
        case.deliver(run(f"run {day}", day))
        outcome = case.load()
        assert (outcome.error, outcome.failures, len(outcome.results)) == (None, (), 1)
    assert case.load().results == ()
    return runs_in_history(case)


def runs_in_history(case: Case) -> list[str]:
    """The runs that were loaded, in their order."""
    history = read_history(case.settings, frozenset())
    return [load.record.run_id for month in history.months for load in month.loads]


def as_variable(sections: tuple[str, ...], name: str) -> str:
    """A setting as the environment has it."""
    return "__".join((*sections, name)).upper()


def as_toml(sections: tuple[str, ...], name: str, value: str) -> str:
    """A setting as config.toml has it."""
    is_plain = value in {"true", "false"} or value.isdigit()
    return f"{'.'.join((*sections, name))} = {value if is_plain else repr(value)}"


def test_there_are_settings_enough_to_try() -> None:
    names = {name for name, _ in SETTINGS}
    assert names >= {
        "dev_mode",
        "dataset_name_layout",
        "naming",
        "workers",
        "progress",
        "restore_from_destination",
        "raise_on_failed_jobs",
        "enable_dataset_name_normalization",
        "staging_type",
        "location",
        "file_max_items",
    }
    assert len(names) > 60


def test_no_setting_is_seen_where_the_ledger_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for spec in specs():
        for name, value in settings_of(spec):
            with without_settings():
                before = resolved(spec, name)
            with monkeypatch.context() as patch:
                patch.setenv(name.upper(), value)
                with without_settings():
                    assert resolved(spec, name) == before, (spec, name)
                seen += resolved(spec, name) != before
    # Or the values would not be any that dlt takes.
    assert seen > 60


def resolved(spec: type[BaseConfiguration], name: str) -> object:
    """What dlt makes of a setting."""
    try:
        return getattr(resolve_configuration(spec(), accept_partial=True), name, None)
    except (ConfigurationException, ValueError, TypeError) as error:
        return type(error)


@pytest.mark.parametrize("where", ["environment", "config.toml"])
def test_a_ledger_is_kept_whatever_all_settings_are(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    everything = [(sections, name, value) for sections in SECTIONS for name, value in SETTINGS]
    if where == "environment":
        for sections, name, value in everything:
            monkeypatch.setenv(as_variable(sections, name), value)
    else:
        (tmp_path / ".dlt").mkdir()
        lines = {as_toml(*setting).partition(" = ")[0]: as_toml(*setting) for setting in everything}
        (tmp_path / ".dlt/config.toml").write_text("\n".join(lines.values()))
        Container()[PluggableRunContext].reload(str(tmp_path))
    assert dlt.config.get("dev_mode")
    with pytest.raises((DltException, ValueError, TypeError, OSError, Warning)):
        dlt.pipeline("own", destination="duckdb", dataset_name=DATASET).run([{"a": 1}])
    assert load_twice(case) == ["run 10", "run 11"]


def test_a_ledger_is_kept_whatever_one_setting_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """One ledger for all of them; new ones are made where all settings are set."""
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    case = Case(place=DiskAndDuckDB(tmp_path), writer=AzureWriter(), scratch=scratch)
    loaded: list[str] = []
    for day, (variable, value) in enumerate(NAMED.items(), start=1):
        with subtests.test(variable), monkeypatch.context() as patch:
            patch.setenv(variable, value)
            loaded.append(f"run {day}")
            case.deliver(run(loaded[-1], day))
            outcome = case.load()
            assert (outcome.error, outcome.failures, len(outcome.results)) == (None, (), 1)
            assert case.load().results == ()
            assert runs_in_history(case) == loaded
            schemas = case.place.query("SELECT DISTINCT schema_name FROM duckdb_tables()")
            assert schemas == [(DATASET,)]
            expected = {"bills.duckdb", "cache", "dlt", "exports", "scratch"}
            assert {path.name for path in tmp_path.iterdir()} <= expected
