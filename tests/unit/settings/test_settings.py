"""The configuration, read through dlt's own providers from real files and the environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import (
    ConfigTomlProvider,
    EnvironProvider,
    SecretsTomlProvider,
)
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from cloudbill.errors import ConfigError
from cloudbill.providers import azure_focus
from cloudbill.settings import (
    SourceSettings,
    ValueProvider,
    dlt_providers,
    read_source,
    read_sources,
    select_sources,
)

Read = Callable[[str], tuple[SourceSettings, ...]]

MINIMAL = """
[sources.azure_billing]
bucket = "exports"
export_name = "focus-daily"
"""
TWO = """
[sources.azure_billing]
bucket = "exports"
export_name = "focus-daily"
dataset = "bills"
[sources.azure_billing.subsidiary]
export_name = "focus-sub"
table_name = "subsidiary"
"""


@pytest.fixture
def providers(tmp_path: Path) -> Callable[[str], tuple[ValueProvider, ...]]:
    """What dlt reads in a folder whose config.toml is given, in dlt's order."""

    def open_providers(config: str) -> tuple[ValueProvider, ...]:
        (tmp_path / "config.toml").write_text(config)
        folder = str(tmp_path)
        # Their own annotations do not say that the name of a pipeline may be None.
        opened: tuple[Any, ...] = (
            EnvironProvider(),
            SecretsTomlProvider(folder),
            ConfigTomlProvider(folder),
        )
        return opened

    return open_providers


@pytest.fixture
def read(providers: Callable[[str], tuple[ValueProvider, ...]]) -> Read:
    """The sources of a config.toml and of the environment as it then is."""
    return lambda config: read_sources(providers(config), os.environ)


class TestOneSource:
    def test_defaults(self, read: Read) -> None:
        (settings,) = read(MINIMAL)

        assert settings == SourceSettings(
            source="azure_billing",
            provider=azure_focus,
            bucket="exports",
            prefix="",
            export_name="focus-daily",
            scope=None,
            table_name="azure_focus_billing_data",
            project_id=None,
            dataset="billing",
            location=None,
            database=Path("cloudbill.duckdb"),
            storage_version="v1.4.0",
            totals=True,
            memory_limit="1GB",
            is_database_given=False,
            max_row_drop=Decimal("0.5"),
            max_cost_drop=Decimal("0.9"),
            cost_trifle=Decimal(1),
            max_wait=timedelta(days=1),
            max_age=None,
            notify=(),
            parallel_loads=8,
            partition_expiration_days=None,
            maximum_bytes_billed=None,
            retry_for_s=240.0,
            lock_timeout_s=60.0,
            in_focus=True,
            focus=True,
            cache=True,
        )
        assert settings.pipeline_name == "azure_billing_pipeline"
        assert settings.sections == ("sources", "azure_billing")

    def test_a_table_that_expires_keeps_months_by_their_end(self, read: Read) -> None:
        (settings,) = read(f'{MINIMAL}\nproject_id = "p"\npartition_expiration_days = 60')
        # October ends with the first moment of November, and 60 days later it is 31 December.
        for now, kept in (("2025-12-30 23:59", "2025-10"), ("2025-12-31 00:00", "2025-11")):
            first = settings.kept_from(datetime.fromisoformat(now).replace(tzinfo=UTC))
            assert str(first) == kept

    def test_only_bigquery_lets_months_expire(self, read: Read) -> None:
        (settings,) = read(f"{MINIMAL}\npartition_expiration_days = 60")
        assert settings.kept_from(datetime(2025, 12, 1, tzinfo=UTC)) is None

    def test_all_keys(self, read: Read) -> None:
        (settings,) = read(f"""{MINIMAL}
            prefix = " a/b "
            table_name = "t"
            project_id = "p"
            dataset = "d"
            location = "EU"
            database = "~/x.duckdb"
            totals = false
            parallel_loads = 3
            in_focus = false
        """)

        assert (settings.prefix, settings.table_name, settings.project_id) == ("a/b", "t", "p")
        assert (settings.dataset, settings.location) == ("d", "EU")
        assert settings.database == Path.home() / "x.duckdb"
        assert (settings.totals, settings.in_focus) == (False, False)
        assert settings.parallel_loads == 3

    def test_keys_may_stand_once_for_all(self, read: Read) -> None:
        (settings,) = read(f'[sources]\nbucket = "shared"\ndatabase = "b.duckdb"\n{MINIMAL}')

        assert settings.database == Path("b.duckdb")
        assert settings.bucket == "exports"

    def test_secrets_go_before_the_configuration(self, read: Read, tmp_path: Path) -> None:
        (tmp_path / "secrets.toml").write_text('[sources.azure_billing]\nbucket = "secret"')

        assert read(MINIMAL)[0].bucket == "secret"

    def test_nothing_is_configured(self, read: Read) -> None:
        assert read("[runtime]\nlog_level = 'INFO'") == ()

    def test_sections_of_dlt_are_no_exports(self, read: Read) -> None:
        sources = read(f"""{MINIMAL}
            [sources.azure_billing.credentials]
            project_id = "p"
            [sources.azure_billing.kwargs]
            timeout = 7
        """)

        assert [settings.source for settings in sources] == ["azure_billing"]
        assert sources[0].project_id is None


class TestEnvironment:
    def test_environment_goes_before_the_files(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOURCES__AZURE_BILLING__BUCKET", "other")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__TOTALS", "False")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__PARALLEL_LOADS", "2")
        monkeypatch.setenv("SOURCES__DATABASE", "env.duckdb")

        (settings,) = read(MINIMAL)

        assert settings.bucket == "other"
        assert (settings.totals, settings.parallel_loads) == (False, 2)
        assert settings.database == Path("env.duckdb")

    def test_environment_alone_is_enough(self, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOURCES__AZURE_BILLING__BUCKET", "exports")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__EXPORT_NAME", "focus")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__SUB__EXPORT_NAME", "focus-sub")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__SUB__TABLE_NAME", "sub")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__CREDENTIALS__PRIVATE_KEY", "none")

        sources = read("")

        assert [settings.source for settings in sources] == ["azure_billing", "azure_billing.sub"]
        assert [settings.bucket for settings in sources] == ["exports", "exports"]

    def test_environment_names_a_further_export(
        self, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SOURCES__AZURE_BILLING__SUBSIDIARY__TABLE_NAME", "other")

        assert [settings.table_name for settings in read(TWO)] == [
            "azure_focus_billing_data",
            "other",
        ]

    @pytest.mark.parametrize(
        ("variable", "section"),
        [
            ("SOURCES__AZURE_BILLING__BUKET", "azure_billing"),
            ("SOURCES__AZURE_BILLING__SUBSIDIARY__BUKET", "azure_billing.subsidiary"),
        ],
        ids=["source", "further export"],
    )
    def test_unknown_variable_is_an_error(
        self, read: Read, monkeypatch: pytest.MonkeyPatch, variable: str, section: str
    ) -> None:
        monkeypatch.setenv(variable, "x")

        with pytest.raises(ConfigError) as error:
            read(TWO)

        assert str(error.value) == (
            f"Unknown key 'buket' in [sources.{section}]. Did you mean 'bucket'?"
        )


class TestSeveralExports:
    def test_further_export_falls_back_to_the_shared_keys(self, read: Read) -> None:
        first, second = read(TWO)

        assert (first.source, second.source) == ("azure_billing", "azure_billing.subsidiary")
        assert (second.bucket, second.dataset) == ("exports", "bills")
        assert (second.export_name, second.table_name) == ("focus-sub", "subsidiary")
        assert second.pipeline_name == "azure_billing_subsidiary_pipeline"
        assert second.sections == ("sources", "azure_billing", "subsidiary")

    def test_section_may_hold_nothing_but_shared_keys(self, read: Read) -> None:
        sources = read("""
            [sources.azure_billing]
            bucket = "exports"
            [sources.azure_billing.b]
            export_name = "b"
            table_name = "tb"
            [sources.azure_billing.a]
            export_name = "a"
            table_name = "ta"
        """)

        assert [settings.source for settings in sources] == ["azure_billing.a", "azure_billing.b"]

    @pytest.mark.parametrize(
        "table",
        ["azure_focus_billing_data", "Azure_Focus_Billing_Data"],
        ids=["same", "other case"],
    )
    def test_two_sources_of_one_table_are_refused(self, read: Read, table: str) -> None:
        with pytest.raises(ConfigError) as error:
            read(TWO.replace('"subsidiary"', f'"{table}"'))

        assert "[sources.azure_billing] and [sources.azure_billing.subsidiary] both load" in str(
            error.value
        )
        assert "Give each its own 'table_name'" in str(error.value)

    @pytest.mark.parametrize(
        "line",
        ['dataset = "other"', 'database = "other.duckdb"', 'project_id = "p"'],
        ids=["dataset", "file", "warehouse"],
    )
    def test_table_of_one_name_elsewhere_is_another_table(self, read: Read, line: str) -> None:
        config = TWO.replace('table_name = "subsidiary"', line)

        first, second = read(config)

        assert first.table_name == second.table_name


class TestMistakes:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('buckets = "b"', "Unknown key 'buckets' in [sources.azure_billing]. Did you mean 'bu"),
            ('tablename = "b"', "Unknown key 'tablename'"),
            ("xyzzy = 1", "Unknown key 'xyzzy' in [sources.azure_billing]. Known are bucket, pref"),
            ("dataset = 5", "'dataset' of [sources.azure_billing] must be a text, not 5"),
            ("prefix = ['a']", "'prefix' of [sources.azure_billing] must be a text"),
            ('table_name = "a\\u0000"', "'table_name' of [sources.azure_billing] must be a text"),
            (
                'table_name = "_DLT_x"',
                "'table_name' of [sources.azure_billing] must not begin w",
            ),
            ('totals = "yes"', "'totals' of [sources.azure_billing] must be true or false, not 'y"),
            ("totals = 1", "'totals' of [sources.azure_billing] must be true or false, not 1"),
            (
                'memory_limit = "lots"',
                "must be a size above zero, such as 512MB or 4GB, not 'lots'",
            ),
            ("memory_limit = 4", "must be a size above zero, such as 512MB or 4GB, not 4"),
            ("parallel_loads = 0", "must be a whole number of at least 1, not 0"),
            ("parallel_loads = 1.5", "must be a whole number of at least 1, not 1.5"),
            ("partition_expiration_days = 0", "must be a whole number of at least 1, not 0"),
            ("maximum_bytes_billed = 10_485_759", "must be at least 10485760, for BigQuery bills"),
            ("parallel_loads = true", "must be a whole number of at least 1, not True"),
        ],
        ids=lambda value: value if "=" in value else "",
    )
    def test_value_that_cannot_be_used(self, read: Read, line: str, message: str) -> None:
        with pytest.raises(ConfigError) as error:
            read(MINIMAL + line)

        assert message in str(error.value)

    def test_section_whose_name_no_source_may_have(self, read: Read) -> None:
        with pytest.raises(ConfigError) as error:
            read(f'{MINIMAL}[sources.azure_billing.2nd]\nexport_name = "e"')

        assert str(error.value) == (
            "[sources.azure_billing.2nd]: '2nd' cannot be the name of a source; use letters, "
            "digits and _, a letter first"
        )

    @pytest.mark.parametrize("value", ["512MB", "1.5 GB", "4gib", "80TB", "100B"])
    def test_memory_limits_that_duckdb_knows(self, read: Read, value: str) -> None:
        assert read(f'{MINIMAL}memory_limit = "{value}"')[0].memory_limit == value

    @pytest.mark.parametrize("bucket", ['bucket = ""', 'bucket = "  "', ""])
    def test_missing_value_lists_the_places_that_were_searched(
        self, read: Read, bucket: str
    ) -> None:
        with pytest.raises(ConfigError) as error:
            read(f'[sources.azure_billing.sub]\nexport_name = "e"\n{bucket}')

        first, *places = str(error.value).splitlines()
        assert first == "'bucket' of source azure_billing.sub is missing. Looked for in"
        assert len(places) == 3
        for key in (
            "SOURCES__AZURE_BILLING__SUB__BUCKET, SOURCES__AZURE_BILLING__BUCKET, SOURCES__BUCKET",
            "config.toml: sources.azure_billing.sub.bucket, sources.azure_billing.bucket",
            "secrets.toml: sources.azure_billing.sub.bucket",
        ):
            assert key in str(error.value)

    def test_further_export_is_missing_its_name(self, read: Read) -> None:
        with pytest.raises(
            ConfigError, match=r"^'export_name' of source azure_billing\.sub is miss"
        ):
            read('[sources.azure_billing]\nbucket = "b"\n[sources.azure_billing.sub]\nprefix = "p"')


class TestSelection:
    @pytest.mark.parametrize(
        ("name", "chosen"),
        [
            ("all", ["azure_billing", "azure_billing.subsidiary"]),
            ("azure", ["azure_billing", "azure_billing.subsidiary"]),
            ("azure_billing", ["azure_billing", "azure_billing.subsidiary"]),
            ("azure_billing.subsidiary", ["azure_billing.subsidiary"]),
        ],
    )
    def test_sources_of_a_name(self, read: Read, name: str, chosen: list[str]) -> None:
        assert [settings.source for settings in select_sources(read(TWO), name)] == chosen

    def test_unknown_name_suggests_the_nearest(self, read: Read) -> None:
        with pytest.raises(
            ConfigError, match=r"^There is no source 'azur'\. Did you mean 'azure'\?"
        ):
            select_sources(read(TWO), "azur")


class TestReadSource:
    def test_given_values_go_first_and_fallbacks_last(
        self, providers: Callable[[str], tuple[ValueProvider, ...]]
    ) -> None:
        settings = read_source(
            "azure_billing",
            azure_focus,
            providers(f'{MINIMAL}prefix = "p"'),
            {"bucket": "given", "prefix": None, "database": Path("given.duckdb")},
            {"dataset": "fallback", "export_name": "fallback"},
        )

        assert (settings.bucket, settings.prefix) == ("given", "p")
        assert (settings.export_name, settings.dataset) == ("focus-daily", "fallback")
        assert settings.database == Path("given.duckdb")


@pytest.mark.usefixtures("own_dlt")
def test_dlt_reads_the_folder_that_the_process_is_in(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(MINIMAL)
    Container()[PluggableRunContext].reload(str(tmp_path))
    (settings,) = read_sources(dlt_providers(), os.environ)

    assert settings.export_name == "focus-daily"
