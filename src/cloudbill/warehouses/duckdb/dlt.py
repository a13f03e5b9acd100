"""dlt's DuckDB destination, over a connection that is open already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.destinations import duckdb as duckdb_destination

if TYPE_CHECKING:
    import duckdb
    from dlt.common.destination import DestinationCapabilitiesContext
    from dlt.common.normalizers.naming import NamingConvention
    from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration

__all__ = ["dlt_destination"]


def dlt_destination(connection: duckdb.DuckDBPyConnection) -> Any:
    """The destination that writes the ledger into the file of the tables."""
    return _DuckDBDestination(connection, enable_dataset_name_normalization=False)


class _DuckDBDestination(duckdb_destination):
    """dlt's own, but for the time: half of what a run of dlt takes.

    dlt asks twenty times in a run what its destination can do, and each time looks through the
    whole configuration first. What DuckDB can do does not depend on it.
    """

    @property
    def destination_type(self) -> str:
        # By this name dlt finds its settings, and writes it into the state.
        return "dlt.destinations.duckdb"

    def capabilities(
        self,
        config: DuckDbClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        """What DuckDB can do, adjusted to a naming convention."""
        return super().capabilities(config or self.spec(), naming)
