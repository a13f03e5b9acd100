"""What is known of a run before BigQuery reads it: its columns, its rows, how to load it.

A load job replaces the month at once, so everything that can be compared is compared before it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.errors import SchemaError
from cloudbill.files.columns import amounts_of, assign_columns, merge_parts, objects_of
from cloudbill.files.csv_headers import PartColumns, is_zip, read_columns
from cloudbill.files.parquet_footers import Footer, read_footers
from cloudbill.files.required_columns import require_bill
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad
from cloudbill.warehouses.bigquery.column_headers import headers_of
from cloudbill.warehouses.bigquery.column_names import require_names
from cloudbill.warehouses.bigquery.tables import (
    column_types,
    csv_options,
    fields_in_order,
    fit_into,
    parquet_options,
    require_month,
    required_columns,
)
from cloudbill.warehouses.reconciliation import require_footers, require_not_held

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest
    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = ["Incoming", "columns_of_first_part", "fitted", "is_changed", "look_at"]

_log = logging.getLogger(__name__)

_UNSURE: Final = frozenset("*?[]#")

# FinOps toolkit, changelog: FOCUS 1.0r2 changed nothing but the text of dates, which had no seconds
# before. BigQuery's timestamps have seconds ("Data types", timestamp canonical format).
_WITHOUT_SECONDS: Final = frozenset({("azure", "1.0"), ("azure", "1.0-preview(v1)")})


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A run before BigQuery reads it.

    `part_columns` has the columns of each part, in the order of its header; `footers` is empty for
    CSV. `rows` is None if nothing states a count before the parts are read.
    """

    columns: tuple[Column, ...]
    part_columns: tuple[tuple[Column, ...], ...]
    footers: tuple[Footer, ...]
    headers: tuple[PartColumns, ...] = ()
    """Those of the CSV parts."""
    rows: int | None
    is_native: bool
    """Whether a load job can read the parts from the store, without this process."""
    is_rewritten: bool = False
    """Whether this process writes Parquet parts again before BigQuery reads them."""
    doubles: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    number_maps: frozenset[str] = frozenset()
    """The columns of doubles, of maps, and of those maps whose values are doubles, which SQL
    converts after a load job has read the parts."""
    is_guarded: bool
    """Whether a guard holds the run if it has too few rows."""
    has_several_months: bool
    """Whether the parts have rows of other months too."""
    required: frozenset[str]
    """The columns that may be REQUIRED where they are loaded, in lower case: those that every part
    has, and of Parquet parts those that all of them call REQUIRED."""

    def named(self, schema: Iterable[bigquery.SchemaField], provider: Provider) -> Incoming:
        """The same run with the columns that its CSV headers have in a table."""
        headers = (column.name for columns in self.part_columns for column in columns)
        targets = assign_columns(dict.fromkeys(headers), headers_of(schema), provider.column_name)

        def renamed(columns: Iterable[Column]) -> tuple[Column, ...]:
            return tuple(replace(column, target=targets[column.name]) for column in columns)

        part_columns = tuple(map(renamed, self.part_columns))
        return replace(
            self,
            columns=renamed(self.columns),
            part_columns=part_columns,
            headers=tuple(replace(one, columns=renamed(one.columns)) for one in self.headers),
            required=_in_every_part(part_columns) if self.is_native else frozenset(),
        )

    def typed(self, types: Mapping[str, ColumnType | str]) -> Incoming:
        """The same run with the types of a table, which are by the names of its columns."""
        kinds = {name.lower(): kind for name, kind in types.items() if isinstance(kind, ColumnType)}
        columns = tuple(
            replace(column, type=kinds.get(column.target.lower(), column.type))
            for column in self.columns
        )
        return replace(self, columns=columns)

    def rewritten(self) -> Incoming:
        """The same run, whose parts are written again in the types of the table.

        All columns of what this process writes are OPTIONAL.
        """
        return replace(
            self,
            is_native=False,
            is_rewritten=True,
            doubles=frozenset(),
            maps=frozenset(),
            number_maps=frozenset(),
            required=frozenset(),
        )

    @property
    def is_converted(self) -> bool:
        """Whether SQL converts what a load job has read, before it replaces the month."""
        return bool(self.doubles or self.maps) or (
            not self.is_native and any(column.type is ColumnType.JSON for column in self.columns)
        )

    @property
    def required_in_new_table(self) -> frozenset[str]:
        """The columns that are REQUIRED in a table that is made for the run."""
        return self.required if self.footers else frozenset()  # a CSV file states no modes

    def fits_modes(self, schema: Iterable[bigquery.SchemaField]) -> bool:
        """Whether the parts, as they are, can be loaded into a table of these columns.

        A job states the modes of the columns. They have to be those of a Parquet file, and a
        NULLABLE column of a table cannot become REQUIRED.
        """
        is_stated = bool(self.footers) and not self.is_converted
        return not is_stated or self.required <= required_columns(schema)

    def relaxes(self, schema: Iterable[bigquery.SchemaField]) -> bool:
        """Whether REQUIRED columns of a table become NULLABLE for the run, which is logged."""
        columns = sorted(required_columns(schema) - self.required)
        if columns:
            listed = ", ".join(columns)
            _log.warning("REQUIRED in the table and not in the files, so now NULLABLE: %s", listed)
        return bool(columns)

    def native_options(self, schema: Sequence[bigquery.SchemaField]) -> dict[str, Any]:
        """The options of the one load job that reads the parts into a table of these columns.

        New columns and modes are part of the job, so they appear together with the month. If the
        job fails, the table keeps its columns.
        """
        updates = [bigquery.SchemaUpdateOption.ALLOW_FIELD_ADDITION]
        if self.relaxes(schema):
            updates.append(bigquery.SchemaUpdateOption.ALLOW_FIELD_RELAXATION)
        fields = fields_in_order(self.columns, schema, self.required)
        options = parquet_options(fields) if self.footers else csv_options(fields)
        return {"schema_update_options": updates, **options}

    @property
    def is_one_job(self) -> bool:
        """Whether one load job can replace the month.

        It cannot if the manifest or a guard needs the number of rows of CSV parts, because these
        are counted only by loading them. It cannot if CSV parts have different headers either,
        because a load job reads all of its files with one list of columns; nor if only some rows
        are of the month.
        """
        if not self.is_native or self.is_converted or self.has_several_months:
            return False
        must_count = self.rows is not None or self.is_guarded
        return bool(self.footers) or (not must_count and len(set(self.part_columns)) == 1)


def fitted(
    incoming: Incoming, table: bigquery.Table, planned: PlannedLoad, provider: Provider
) -> Incoming:
    """A run as a table takes it: by its names and types, and written again if it has to be.

    Raises:
        SchemaError: If a column does not fit.
    """
    if incoming.headers:
        incoming = incoming.named(table.schema, provider)
    fit = fit_into(table, incoming.columns, provider, planned.manifest)
    typed = incoming.typed(column_types(table.schema))
    if typed.footers and (fit.converted or not typed.fits_modes(table.schema)):
        return typed.rewritten()
    return typed


def is_changed(
    incoming: Incoming,
    planned: PlannedLoad,
    provider: Provider,
    *,
    before: bigquery.Table,
    now: bigquery.Table,
) -> bool:
    """Whether a table changed by more than the columns of a run, so that it is loaded otherwise.

    Raises:
        SchemaError: If a column does not fit into the table as it is now.
    """
    own = _names(incoming.columns)
    added = {str(field.name).lower() for field in now.schema} - own
    if not added <= {str(field.name).lower() for field in before.schema}:
        return True
    new = fitted(incoming, now, planned, provider)
    try:
        return fitted(incoming, before, planned, provider) != new
    except SchemaError:
        return False


def look_at(
    store: Store,
    planned: PlannedLoad,
    provider: Provider,
    schema: Sequence[bigquery.SchemaField],
) -> Incoming:
    """Reads footers or headers; `schema` is that of the table, which need not exist yet.

    Raises:
        LoadError: If the parts contradict the manifest, the month or each other.
        DatasetError: If the parts are of another dataset.
        StoreError: If a part cannot be read.
    """
    manifest = planned.manifest
    is_native = store.scheme == "gs" and all(map(_is_read_as_named, planned.uris))
    if manifest.file_format == "parquet":
        footers = _footers_of(store, manifest, provider, schema)
        return _look_at_parquet(footers, planned, provider, is_native=is_native)
    headers = read_columns(store, manifest, provider, headers_of(schema))
    part_columns = tuple(header.columns for header in headers)
    columns = merge_parts(zip(planned.uris, part_columns, strict=True))
    require_bill(
        columns,
        [(uri, _names(own), None) for uri, own in zip(planned.uris, part_columns, strict=True)],
        provider,
        run_id=manifest.run_id,
    )
    is_native = (
        is_native
        and (provider.CLOUD, manifest.data_version) not in _WITHOUT_SECONDS
        and all(header.is_plain for header in headers)
    )
    return Incoming(
        columns=columns,
        part_columns=part_columns,
        footers=(),
        headers=headers,
        rows=manifest.stated_rows,
        is_native=is_native,
        is_guarded=planned.least_rows is not None,
        has_several_months=bool(manifest.spans),
        # What BigQuery does not read from the store is written as Parquet first.
        required=_in_every_part(part_columns) if is_native else frozenset(),
    )


def columns_of_first_part(
    store: Store,
    manifest: Manifest,
    provider: Provider,
    schema: Sequence[bigquery.SchemaField],
) -> tuple[Column, ...]:
    """The columns of one part of a run, as a load would take them; `schema` as in `look_at`.

    Raises:
        LoadError: If the part is damaged, or has a column of a type that is not loaded.
        StoreError: If it cannot be read.
    """
    one = replace(manifest, parts=manifest.parts[:1])
    if manifest.file_format == "parquet":
        (footer,) = _footers_of(store, one, provider, schema)
        require_names([(footer.address, footer.columns)])
        return footer.columns
    return read_columns(store, one, provider, headers_of(schema))[0].columns


def _footers_of(
    store: Store,
    manifest: Manifest,
    provider: Provider,
    schema: Sequence[bigquery.SchemaField],
) -> tuple[Footer, ...]:
    return read_footers(
        store,
        manifest.parts,
        period_column=provider.PERIOD_COLUMN,
        amounts=amounts_of(provider, manifest, column_types(schema)),
        objects=objects_of(provider, manifest),
    )


def _look_at_parquet(
    footers: tuple[Footer, ...], planned: PlannedLoad, provider: Provider, *, is_native: bool
) -> Incoming:
    manifest = planned.manifest
    # All of this needs only the footers, so a run that fails here has started no job.
    rows = require_footers(manifest, [footer.rows for footer in footers])
    if not manifest.spans or rows == 0:
        require_not_held(planned, rows)
    require_month(planned, footers)
    named = [(footer.address, footer.columns) for footer in footers]
    columns = merge_parts(named)
    require_names(named)  # those of CSV parts are made legal
    require_bill(
        columns,
        [
            (footer.address, _names(footer.columns) | footer.untyped, footer.rows)
            for footer in footers
        ],
        provider,
        run_id=manifest.run_id,
    )
    required = {footer.required for footer in footers}
    doubles = frozenset[str]().union(*(footer.doubles for footer in footers))
    maps = frozenset[str]().union(*(footer.maps for footer in footers))
    # A job states one mode for a column, and each of its files has to agree. What SQL converts is
    # read without a stated schema, so that all files have to have one.
    is_rewritten = (
        len(required) > 1
        or any(footer.is_rewritten for footer in footers)
        or (bool(doubles | maps) and not (is_native and _are_alike(footers)))
    )
    return Incoming(
        columns=columns,
        part_columns=tuple(footer.columns for footer in footers),
        footers=footers,
        rows=rows,
        is_native=is_native and not is_rewritten,
        is_rewritten=is_rewritten,
        doubles=frozenset() if is_rewritten else doubles,
        maps=frozenset() if is_rewritten else maps,
        number_maps=frozenset() if is_rewritten else footers[0].number_maps,
        is_guarded=planned.least_rows is not None,
        has_several_months=bool(manifest.spans),
        required=frozenset() if is_rewritten else frozenset[str]().union(*required),
    )


def _are_alike(footers: Sequence[Footer]) -> bool:
    """Whether BigQuery reads the same columns from all parts, of the same types.

    A time without a zone is a DATETIME for it, and one with a zone a TIMESTAMP.
    """
    found = {
        (footer.columns, footer.forms, footer.doubles, footer.maps, footer.number_maps)
        for footer in footers
    }
    return len(found) == 1


def _in_every_part(parts: Iterable[Iterable[Column]]) -> frozenset[str]:
    """The names, in lower case, of the columns that no part lacks."""
    names = [_names(columns) for columns in parts]
    return frozenset.intersection(*names) if names else frozenset()


def _names(columns: Iterable[Column]) -> frozenset[str]:
    return frozenset(column.target.lower() for column in columns)


def _is_read_as_named(uri: str) -> bool:
    """Whether BigQuery reads the object that a URI names, and no other.

    It unpacks no ZIP file. It takes a `*` for any text, several slashes for one, and what follows a
    `#` for a generation ("Loading data from Cloud Storage", wildcard support and limitations). What
    it makes of the other signs that Google's tools take for wildcards ("gcloud storage", URI
    wildcards) is said nowhere.
    """
    return not is_zip(uri) and not _UNSURE & {*uri} and "//" not in uri.partition("://")[2]
