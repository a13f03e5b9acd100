"""What is printed for a table that a load refuses: what the new table keeps of the old one."""

from __future__ import annotations

from google.cloud import bigquery as bq

from cloudbill.warehouses.bigquery.table_conversion import conversion_of


def table(**kinds: str) -> bq.Table:
    """A table of these columns, which is not partitioned."""
    columns = {"BillingPeriodStart": "TIMESTAMP", "BilledCost": "FLOAT"} | kinds
    return bq.Table(
        "acme.finops.bill", schema=[bq.SchemaField(name, kind) for name, kind in columns.items()]
    )


def test_the_new_table_is_made_like_the_old_one_and_not_by_a_query() -> None:
    text = conversion_of(table(), partitions_by="BillingPeriodStart", clusters_by="ServiceName")
    _, create, insert, rename, _, said = text.splitlines()
    assert create == (
        "  CREATE TABLE `acme`.`finops`.`bill_converted` LIKE `acme`.`finops`.`bill` "
        "PARTITION BY TIMESTAMP_TRUNC(`BillingPeriodStart`, MONTH);"
    )
    assert insert == (
        "  INSERT INTO `acme`.`finops`.`bill_converted` SELECT * FROM `acme`.`finops`.`bill`;"
    )
    assert rename == "  ALTER TABLE `acme`.`finops`.`bill` RENAME TO `bill_before`;"
    assert "Row access policies, and rights" in said
    assert "have to be made anew" in said


def test_the_clusters_of_a_table_stay() -> None:
    for clusters in ([], ["Team"]):
        clustered = table(ServiceName="STRING", Team="STRING")
        clustered.clustering_fields = clusters
        text = conversion_of(
            clustered, partitions_by="BillingPeriodStart", clusters_by="ServiceName"
        )
        assert f"CLUSTER BY `{(clusters or ['ServiceName'])[0]}`;" in text


def test_a_table_whose_columns_change_is_made_by_them_and_has_what_the_old_one_says() -> None:
    labelled = table()
    labelled.labels = {"team": "finops"}
    labelled.description = "the 'bill'"
    labelled.time_partitioning = bq.TimePartitioning(type_="MONTH", field="BillingPeriodStart")
    lines = conversion_of(labelled, changed={"BilledCost": "BIGNUMERIC"}).splitlines()
    new, old = "`acme`.`finops`.`bill_converted`", "`acme`.`finops`.`bill`"
    cast = "ROUND(CAST(CAST(`BilledCost` AS STRING) AS BIGNUMERIC), 18) AS `BilledCost`"
    assert lines[1:4] == [
        (
            f"  CREATE TABLE {new} (`BillingPeriodStart` TIMESTAMP, `BilledCost` BIGNUMERIC) "
            "PARTITION BY TIMESTAMP_TRUNC(`BillingPeriodStart`, MONTH);"
        ),
        (
            f"  ALTER TABLE {new} SET OPTIONS (partition_expiration_days = NULL, "
            "expiration_timestamp = NULL, description = \"the 'bill'\", "
            'labels = [("team", "finops")]);'
        ),
        f"  INSERT INTO {new} SELECT * REPLACE ({cast}) FROM {old};",  # noqa: S608
    ]
    assert "DROP COLUMN" not in "".join(lines)


def test_a_filter_that_is_demanded_is_lifted_before_all_rows_are_read() -> None:
    demanding = table()
    demanding.require_partition_filter = True
    lines = conversion_of(demanding, changed={"BilledCost": "BIGNUMERIC"}).splitlines()
    lifting = "  ALTER TABLE `acme`.`finops`.`bill` SET OPTIONS (require_partition_filter = FALSE);"
    assert lines.index(lifting) == 3


def test_a_column_has_its_mode_size_and_description_and_the_clusters_stay() -> None:
    clustered = bq.Table(
        "acme.finops.bill",
        schema=[
            bq.SchemaField("BillingPeriodStart", "TIMESTAMP", mode="REQUIRED"),
            bq.SchemaField("Team", "INTEGER", description='tag "team"\n\\'),
            bq.SchemaField("Code", "STRING", max_length=8),
            bq.SchemaField("Rate", "NUMERIC", precision=20, scale=4),
            bq.SchemaField(
                "Tags", "RECORD", mode="REPEATED", fields=[bq.SchemaField("key", "FLOAT")]
            ),
        ],
    )
    clustered.time_partitioning = bq.TimePartitioning(
        type_="DAY", field="BillingPeriodStart", expiration_ms=36 * 3_600_000
    )
    clustered.clustering_fields = ["Code", "Team"]
    clustered.require_partition_filter = True
    lines = conversion_of(clustered, changed={"Team": "STRING"}).splitlines()
    new, old = "`acme`.`finops`.`bill_converted`", "`acme`.`finops`.`bill`"
    assert lines[1:5] == [
        (
            f"  CREATE TABLE {new} (`BillingPeriodStart` TIMESTAMP NOT NULL, "
            '`Team` STRING OPTIONS (description = "tag \\"team\\"\\n\\\\"), `Code` STRING(8), '
            "`Rate` NUMERIC(20, 4), `Tags` ARRAY<STRUCT<`key` FLOAT64>>) "
            "PARTITION BY TIMESTAMP_TRUNC(`BillingPeriodStart`, DAY) CLUSTER BY `Code`, `Team`;"
        ),
        (
            f"  ALTER TABLE {new} SET OPTIONS (partition_expiration_days = 1.5, "
            "expiration_timestamp = NULL, require_partition_filter = TRUE);"
        ),
        f"  ALTER TABLE {old} SET OPTIONS (require_partition_filter = FALSE);",
        f"  INSERT INTO {new} SELECT * REPLACE (CAST(`Team` AS STRING) AS `Team`) FROM {old};",  # noqa: S608
    ]
    assert "Its key, defaults and collations" in lines[-1]


def test_a_period_of_no_time_gets_no_statement_that_cannot_run() -> None:
    for column, said in (
        ("BillingPeriodStart", "'BillingPeriodStart' is STRING there"),
        ("Month", "it has no column 'Month' there"),
    ):
        text = conversion_of(table(BillingPeriodStart="STRING"), partitions_by=column)
        assert said in text
        assert "Set another 'table_name'" in text
        assert "CREATE" not in text
