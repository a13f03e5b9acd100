"""Load jobs: https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad .

Everything that can fail reads into a staging table. The table itself changes in one transaction:
"creation, truncation and append actions occur as one atomic update upon job completion".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bqemulator.api.routes.tables import (
    _parse_schema_fields,
    _rest_to_clustering,
    _rest_to_time_partitioning,
)
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import Clustering, TableMeta, TableSchema, TimePartitioning
from bqemulator.domain.errors import UnsupportedFeatureError

from emulators.bigquery.access import denial
from emulators.bigquery.csv_reader import is_gzip, read_csv
from emulators.bigquery.errors import JobError
from emulators.bigquery.json_reader import read_json
from emulators.bigquery.parquet_reader import check_modes, parquet_schema, read_parquet
from emulators.bigquery.partitions import is_expired
from emulators.bigquery.protection import Tags, rights_to_set, tags_of
from emulators.bigquery.schema import (
    Field,
    check_names,
    columns_sql,
    fields_of,
    merged,
    normalised,
    parquet_field,
)
from emulators.bigquery.sources import Source, find_sources
from emulators.bigquery.tables import TableRef, in_partition, partition_id, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulators.bigquery.jobs import JobRun, Statistics

_STAGE = '"_load_stage"'
_READERS = {"CSV": read_csv, "NEWLINE_DELIMITED_JSON": read_json, "PARQUET": read_parquet}
_MAX_PARTITIONS = 4_000  # per job: https://cloud.google.com/bigquery/quotas#partitioned_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What a load job was asked to do."""

    table: TableRef
    config: dict[str, Any]
    file_format: str
    write: str

    @classmethod
    def of(cls, config: dict[str, Any]) -> LoadSpec:
        """Read ``configuration.load``; what is not emulated is refused at once."""
        file_format = (config.get("sourceFormat") or "CSV").upper()
        if file_format not in _READERS:
            raise UnsupportedFeatureError(f"Loading {file_format} is not emulated")
        if config.get("autodetect") and file_format != "PARQUET":
            raise UnsupportedFeatureError("Detecting the schema of a file is not emulated")
        return cls(
            table=TableRef.from_rest(config["destinationTable"]),
            config=config,
            file_format=file_format,
            write=config.get("writeDisposition") or "WRITE_APPEND",
        )

    @property
    def truncates(self) -> bool:
        """Whether the rows that are there go."""
        return self.write in ("WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA")

    @property
    def replaces_table(self) -> bool:
        """Whether table and schema are replaced: WRITE_TRUNCATE without a partition."""
        return self.write == "WRITE_TRUNCATE" and not self.table.partition

    @property
    def options(self) -> list[str]:
        """The schema changes that the job allows."""
        return self.config.get("schemaUpdateOptions") or []


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The table as it will be once the job is done."""

    fields: list[Field]
    file_fields: list[Field]  # in the order in which a CSV file has them
    existing: TableMeta | None
    partitioning: TimePartitioning | None
    clustering: Clustering | None


def run_load(run: JobRun, config: dict[str, Any], uploaded: Source | None = None) -> Statistics:
    """Do the whole job, and give its ``statistics.load``."""
    spec = LoadSpec.of(config)
    run.fault("start")
    existing = _existing_table(run, spec)
    _check_options(spec)
    tags = _tags_after(run, spec)
    sources = (uploaded,) if uploaded else find_sources(run.gcs_root, config["sourceUris"])
    target = _target(spec, existing, sources)
    _stage(run, spec, target, sources)
    _check_rows(run, spec, target)
    run.fault("commit")
    rows = run.count(_STAGE)
    _commit(run, spec, target)
    _protect(run, spec, tags)
    size = sum(source.size for source in sources)
    return {
        "inputFiles": str(len(sources)),
        "inputFileBytes": str(size),
        "outputRows": str(rows),
        "outputBytes": str(size),
        "badRecords": "0",
    }


def _existing_table(run: JobRun, spec: LoadSpec) -> TableMeta | None:
    project, dataset, table = spec.table.key
    if run.catalog.get_dataset(project, dataset) is None:
        raise JobError("notFound", f"Not found: Dataset {project}:{dataset}")
    existing = run.catalog.get_table(project, dataset, table)
    if existing is None and spec.config.get("createDisposition") == "CREATE_NEVER":
        raise JobError("notFound", f"Not found: Table {project}:{dataset}.{table}")
    return existing


def _check_options(spec: LoadSpec) -> None:
    """Options of the job that exclude each other.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job (schemaUpdateOptions,
    decimalTargetTypes)
    """
    if spec.write == "WRITE_TRUNCATE_DATA" and spec.table.partition:
        raise JobError(
            "notImplemented",
            "No source says what WRITE_TRUNCATE_DATA empties where it is written to a partition",
        )
    appends = spec.write in ("WRITE_APPEND", "WRITE_TRUNCATE_DATA")
    of_partition = spec.write == "WRITE_TRUNCATE" and spec.table.partition
    if spec.options and not appends and not of_partition:
        raise JobError(
            "invalid",
            "Schema update options should only be specified with WRITE_APPEND disposition, "
            "or with WRITE_TRUNCATE disposition on a table partition.",
        )
    decimals = spec.config.get("decimalTargetTypes") or []
    if len(set(decimals)) != len(decimals):
        raise JobError("invalid", "decimalTargetTypes cannot contain duplicates")


def _tags_after(run: JobRun, spec: LoadSpec) -> Tags:
    """The policy tags of the table once the job is done; to set others is a right of its own.

    WRITE_TRUNCATE leaves those that the job states: github.com/dlt-hub/dlt/pull/4130 lost those of
    a table. Whether it spares them where it writes a partition is not known, so it does not here.
    https://cloud.google.com/bigquery/docs/column-level-security#set_policy_tags_on_columns
    """
    before = run.catalog.tags.get(spec.table.key, {})
    stated = tags_of((spec.config.get("schema") or {}).get("fields") or ())
    after = stated if spec.write == "WRITE_TRUNCATE" else before | stated
    known = {column: before[column] for column in stated if column in before}
    for permission in ("bigquery.tables.updateData", *rights_to_set(known, stated)):
        if not run.access.may(permission):
            name = f"{spec.table}".partition("$")[0]
            raise JobError("accessDenied", denial(permission, name))
    return after


def _protect(run: JobRun, spec: LoadSpec, tags: Tags) -> None:
    """Take from the table what WRITE_TRUNCATE overwrites.

    "Operations using a WRITE_TRUNCATE write disposition always overwrite any existing row access
    policies on the destination table." Nothing says that a partition is another case.
    https://cloud.google.com/bigquery/docs/row-level-security-intro
    """
    run.catalog.tags[spec.table.key] = tags
    if spec.write == "WRITE_TRUNCATE":
        run.catalog.drop_policies(spec.table.key)


def _target(spec: LoadSpec, existing: TableMeta | None, sources: Sequence[Source]) -> Target:
    """Schema and layout after the job."""
    incoming = _incoming_fields(spec, existing, sources)
    check_names(incoming)
    partitioning = _rest_to_time_partitioning(spec.config.get("timePartitioning"), None)
    clustering = _rest_to_clustering(spec.config.get("clustering"), None)
    fields = incoming
    if existing is not None:
        _check_layout(existing, partitioning, clustering)
        partitioning, clustering = existing.time_partitioning, existing.clustering
        if not spec.replaces_table:
            fields = merged(spec.table, fields_of(existing), incoming, spec.options)
    if partitioning and partitioning.field:
        names = {field["name"].lower() for field in fields}
        if partitioning.field.lower() not in names:
            raise JobError(
                "invalid",
                "The field specified for time partitioning cannot be found in the schema: "
                f"{partitioning.field}",
            )
    return Target(
        fields=fields,
        file_fields=incoming,
        existing=existing,
        partitioning=partitioning,
        clustering=clustering,
    )


def _incoming_fields(
    spec: LoadSpec, existing: TableMeta | None, sources: Sequence[Source]
) -> list[Field]:
    """The schema that the job brings.

    The one it states; else the one that the alphabetically last Parquet file describes
    (loading-data-cloud-storage-parquet#parquet_schemas); else the table's.
    """
    stated = (spec.config.get("schema") or {}).get("fields")
    if stated:
        return [normalised(field) for field in stated]
    if spec.file_format == "PARQUET":
        last = max(sources, key=lambda source: source.uri)
        decimals = spec.config.get("decimalTargetTypes") or []
        return [parquet_field(column, decimals) for column in parquet_schema(last)]
    if existing is not None:
        return fields_of(existing)
    raise JobError("invalid", "No schema specified on job or table.")


def _check_layout(
    existing: TableMeta, partitioning: TimePartitioning | None, clustering: Clustering | None
) -> None:
    """A table keeps its layout; a job states the same one or none.

    https://cloud.google.com/bigquery/docs/creating-partitioned-tables#limitations
    """

    def described(by: TimePartitioning | None) -> tuple[str, str] | None:
        return (by.type, (by.field or "").lower()) if by else None

    if partitioning and described(partitioning) != described(existing.time_partitioning):
        raise JobError(
            "invalid",
            "Incompatible table partitioning specification. Expects partitioning specification "
            f"{described(existing.time_partitioning)}, but input partitioning specification is "
            f"{described(partitioning)}",
        )
    if clustering and clustering != existing.clustering:
        raise JobError("invalid", "Incompatible table clustering specification.")


def _stage(run: JobRun, spec: LoadSpec, target: Target, sources: Sequence[Source]) -> None:
    """Read every file into the staging table."""
    if spec.file_format == "CSV" and len({is_gzip(source.path) for source in sources}) > 1:
        raise JobError("invalid", "Compressed and uncompressed files cannot be in one load job")
    run.connection.execute(f"CREATE OR REPLACE TEMP TABLE {_STAGE} ({columns_sql(target.fields)})")
    fields = target.file_fields if spec.file_format == "CSV" else target.fields
    for number, source in enumerate(sources):
        run.fault(f"read:{number}")
        if spec.file_format == "PARQUET":
            check_modes(target.file_fields, source)
        _READERS[spec.file_format](run.connection, _STAGE, fields, source, spec.config)


def _check_rows(run: JobRun, spec: LoadSpec, target: Target) -> None:
    """Conditions on the rows of all files together."""
    for field in target.fields:
        missing = f"SELECT 1 FROM {_STAGE} WHERE {quoted(field['name'])} IS NULL"
        if field["mode"] == "REQUIRED" and run.holds(missing):
            raise JobError(
                "invalid",
                "Error while reading data, error message: Required column value for column "
                f"{field['name']} is missing",
            )
    inside = in_partition(spec.table, target.partitioning)
    if run.holds(f"SELECT 1 FROM {_STAGE} WHERE NOT ({inside})"):
        raise JobError(
            "invalid",
            "Some rows belong to different partitions rather than destination partition "
            f"{spec.table}",
        )
    touched = len(_partitions(run, target))
    if touched > _MAX_PARTITIONS:
        raise JobError(
            "quotaExceeded",
            f"Too many partitions produced by query, allowed {_MAX_PARTITIONS}, query produces "
            f"at least {touched} partitions",
        )
    if spec.write == "WRITE_EMPTY" and target.existing is not None:
        filled = f"SELECT 1 FROM {spec.table.sql} WHERE {inside}"
        if run.holds(filled):
            raise JobError("duplicate", f"Already Exists: Table {spec.table}")


def _partitions(run: JobRun, target: Target) -> list[str]:
    """The partitions that the new rows go to."""
    if target.partitioning is None:
        return []
    found = run.connection.execute(
        f"SELECT DISTINCT {partition_id(target.partitioning)} FROM {_STAGE}"
    )
    return [str(row[0]) for row in found.fetchall()]


def _commit(run: JobRun, spec: LoadSpec, target: Target) -> None:
    """Change the table in one step, then the catalog."""
    written = _partitions(run, target) + ([spec.table.partition] if spec.table.partition else [])
    with run.transaction():
        if target.existing is None or spec.replaces_table:
            run.connection.execute(f"DROP TABLE IF EXISTS {spec.table.sql}")
            run.connection.execute(f"CREATE TABLE {spec.table.sql} ({columns_sql(target.fields)})")
        else:
            for field in target.fields[len(target.existing.schema_.fields) :]:
                run.connection.execute(
                    f"ALTER TABLE {spec.table.sql} ADD COLUMN {columns_sql([field])}"
                )
            if spec.truncates:
                inside = in_partition(spec.table, target.partitioning)
                run.connection.execute(f"DELETE FROM {spec.table.sql} WHERE {inside}")
        run.connection.execute(f"INSERT INTO {spec.table.sql} BY NAME SELECT * FROM {_STAGE}")
        expired = is_expired(target.partitioning, run.now())
        run.connection.execute(f"DELETE FROM {spec.table.sql} WHERE {expired}")
    if target.existing is not None:  # whoever sees a table that changed sees its partitions, too
        run.catalog.stamp(spec.table.key, written, run.now())
    _record(run, spec, target)
    if target.existing is None:
        run.catalog.stamp(spec.table.key, written, run.now())


def _record(run: JobRun, spec: LoadSpec, target: Target) -> None:
    """Bring the catalog in line with the table."""
    project, dataset, table = spec.table.key
    now = run.now()
    changed: dict[str, Any] = {
        "num_rows": run.count(spec.table.sql),
        "last_modified_time": now,
        "etag": generate_etag(project, dataset, table, str(now)),
    }
    schema = TableSchema(fields=_parse_schema_fields(target.fields))
    if target.existing is not None:
        after = {**changed, "schema_": schema}
        run.catalog.update_table(target.existing.model_copy(update=after))
        return
    properties = spec.config.get("destinationTableProperties") or {}
    run.catalog.create_table(
        TableMeta(
            project_id=project,
            dataset_id=dataset,
            table_id=table,
            schema=schema,
            description=properties.get("description"),
            friendly_name=properties.get("friendlyName"),
            labels=properties.get("labels") or {},
            time_partitioning=target.partitioning,
            clustering=target.clustering,
            creation_time=now,
            **changed,
        )
    )
