"""dlt's DuckDB destination, on a connection that is already open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.common.configuration import configspec
from dlt.destinations import duckdb as duckdb_destination
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient

from cloudbill.sql import DUCKDB

if TYPE_CHECKING:
    import duckdb
    from dlt.common.destination import DestinationCapabilitiesContext
    from dlt.common.normalizers.naming import NamingConvention
    from dlt.common.schema import Schema
    from dlt.destinations.impl.duckdb.duck import DuckDbClient

__all__ = ["dlt_destination"]


def dlt_destination(connection: duckdb.DuckDBPyConnection, catalog: str) -> Any:
    """The destination that writes the ledger into the file of the tables, which is `catalog`."""
    return _DuckDBDestination(connection, catalog)


@configspec(init=False)
class _Configuration(DuckDbClientConfiguration):
    """dlt's own, which dlt shows at the end of a run, and imports SQLAlchemy for it: 0.2 s."""

    def __str__(self) -> str:
        return "duckdb"


class _DuckDBDestination(duckdb_destination):
    """dlt's own destination with full names, and without half of dlt's run time.

    In one run dlt asks twenty times what its destination can do, and each time it searches the
    whole configuration first. What DuckDB can do does not depend on the configuration.
    """

    spec = _Configuration

    def __init__(self, connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
        super().__init__(connection, enable_dataset_name_normalization=False)
        self._catalog = catalog

    @property
    def destination_type(self) -> str:
        # dlt finds its settings by this name, and writes the name into the state.
        return "dlt.destinations.duckdb"

    def capabilities(
        self,
        config: DuckDbClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        """The capabilities of DuckDB, adjusted to a naming convention."""
        return super().capabilities(config or self.spec(), naming)

    def client(self, schema: Schema, initial_config: Any = None) -> DuckDbClient:
        """dlt's client, whose names in SQL begin with the catalog."""
        made = super().client(schema, initial_config)
        plain = made.sql_client
        made.sql_client = _SqlClient(
            self._catalog,
            plain.dataset_name,
            plain.staging_dataset_name,
            plain.credentials,
            plain.capabilities,
        )
        return made


class _SqlClient(DuckDbSqlClient):
    """dlt's own, which leaves the catalog out, so that a schema may be taken for one."""

    def __init__(self, catalog: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._catalog = catalog

    def catalog_name(self, quote: bool = True, casefold: bool = True) -> str:  # noqa: FBT001, FBT002, ARG002
        """The catalog of every name."""
        return DUCKDB.quote_identifier(self._catalog) if quote else self._catalog

    def create_dataset(self) -> None:
        """Makes the schema, which is there already where it is spelt in other letters."""
        self.execute_sql(f"CREATE SCHEMA IF NOT EXISTS {self.fully_qualified_dataset_name()}")

    def _qualify_info_schema_table_name(self, table_name: str) -> str:
        # A file may be called `information_schema` too.
        return f"system.information_schema.{table_name}"
