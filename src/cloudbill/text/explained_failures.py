"""What is said of errors after which something was not read or not loaded: exit codes 1 to 5."""

from __future__ import annotations

from typing import Final

from cloudbill.text.explanation import Explanation

__all__ = ["FAILURES"]

FAILURES: Final = (
    Explanation(
        name="CloudbillError",
        exit_code=1,
        means="Something went wrong for which there is no other error.",
        causes=(
            "`verify` does not have enough memory to read a file: `memory_limit` is too low.",
            (
                "Two sources of one kind deliver the charges of one account: `doctor` and `status "
                "--check` say `LOOK`. A report beside FOCUS is only a note."
            ),
        ),
        remedies=(
            (
                "If two sources deliver the same charges, remove one from the configuration, or "
                "set `in_focus = false` for the one that is not summed."
            ),
            "Read the message: it says what failed, and what to do next.",
            "Run the same command again. Loaded months stay loaded, and are not loaded twice.",
        ),
    ),
    Explanation(
        name="LedgerError",
        exit_code=1,
        means="The ledger cannot be read or written. The loaded months are as they were.",
        causes=(
            "The warehouse accepted a month, but not the few rows that record it in the ledger.",
            "Somebody changed a state in `_dlt_pipeline_state`, or a copy damaged it.",
            "A newer cloudbill wrote the ledger.",
        ),
        remedies=(
            "If a newer cloudbill wrote the ledger, upgrade this one.",
            (
                "Run `cloudbill state rebuild`: it says what it would restore from the tracking "
                "table and from all states that can be read, and writes the ledger again. No month "
                "is forgotten without `--forget`."
            ),
            "Run the same command again. Loaded months stay loaded, and are not loaded twice.",
            (
                "If tables of the ledger were dropped, the next load that replaces a month makes "
                "them again; `cloudbill state rebuild` does it at once."
            ),
        ),
    ),
    Explanation(
        name="UnexpectedError",
        exit_code=1,
        means="A fault of cloudbill itself ended a source. The other sources were done.",
        causes=("Something happened that cloudbill does not know how to handle.",),
        remedies=(
            (
                "Report it, with the file that the message names: it has the traceback, and no "
                "secrets."
            ),
            "Run the same command again. What is loaded stays, and is not loaded twice.",
        ),
    ),
    Explanation(
        name="ConfigError",
        exit_code=2,
        means="The configuration is missing a value, has an unknown key, or contradicts itself.",
        causes=(
            "The command runs in a folder that has no `.dlt/config.toml`.",
            "`bucket` or `export_name` is missing, or a key is misspelt.",
            (
                "Two sources have the same `table_name`, or names that dlt makes into one, such as "
                "`AzureFocus` and `azure_focus`: their tracking tables would be one table."
            ),
            "The credentials of the store or of BigQuery are missing.",
            "The client of a store is not installed, such as the client of `s3://`.",
        ),
        remedies=(
            "Start over with `cloudbill init`; it keeps everything that is in the file.",
            (
                "See docs/configuration.md for every key, its environment variable, and where the "
                "credentials of each store go."
            ),
            "Check with `cloudbill doctor`.",
            (
                "If a client is not installed, run the command in the message: it fits how "
                "cloudbill was installed."
            ),
        ),
    ),
    Explanation(
        name="QueryError",
        exit_code=2,
        means="The SQL of `query` did not run: it has a mistake, or would do more than read.",
        causes=(
            "A table, view or column is misspelt; the message names those that there are.",
            "It is no SELECT, or there are several statements: `query` only reads.",
            (
                "In DuckDB it reads a file, or needs an extension: `query` reads the warehouse "
                "and nothing else."
            ),
        ),
        remedies=(
            "Read what the warehouse says in the message, and where.",
            'List the columns of a view: `cloudbill query "SELECT * FROM focus LIMIT 0"`.',
            "Do what writes with the tools of the warehouse itself.",
        ),
    ),
    Explanation(
        name="UsageError",
        exit_code=2,
        means="The command line has a word or an option that does not exist, or one is missing.",
        causes=("An option is misspelt.", "A value is missing or out of its range."),
        remedies=("Read the help of the command: `cloudbill load --help`.",),
    ),
    Explanation(
        name="ManifestError",
        exit_code=3,
        means="A manifest cannot be read. The other runs were loaded.",
        causes=(
            "A copy tool copied only half of a file, or has not finished yet.",
            (
                "The export is neither FOCUS nor a Cost and Usage Report, or its name is not "
                "`export_name`."
            ),
            (
                "A Data Export of AWS is in the section of the other kind (CUR 2.0 in "
                "`[sources.aws_billing]`, FOCUS in `[sources.aws_focus_billing]`), or its query "
                "leaves out the billing period or the cost."
            ),
            "The provider wrote a manifest in a form that cloudbill does not know.",
        ),
        remedies=(
            "Look at the file and the key that the message names.",
            "Copy or export that run again; a newer run that can be read is loaded anyway.",
            "If you do not need the run, delete its manifest from the store.",
        ),
    ),
    Explanation(
        name="NoManifestError",
        exit_code=3,
        means="No manifest is where a source looks for them. Nothing can be loaded from there.",
        causes=(
            "`prefix` or `export_name` is misspelt, or the export was moved.",
            "The bucket was emptied. The months that are loaded stay.",
            "The export has not delivered anything yet.",
            "An older export of Azure has no file partitioning, and therefore no manifest.",
            (
                "The job that copies the export brings the data files, but not the manifests. A "
                "Data Export of AWS has them in `metadata/`, beside `data/`."
            ),
        ),
        remedies=(
            "Read the message: it names the folder, what is in it, and the nearest names.",
            "Let `cloudbill init` look for the exports in the bucket.",
            (
                "If data files came without a manifest, switch file partitioning on at Azure, or "
                "let the copy job bring `*.json` as well."
            ),
        ),
    ),
    Explanation(
        name="DatasetError",
        exit_code=3,
        means="What was delivered is of a kind that the source does not load.",
        causes=(
            "The export is of another dataset than FOCUS, such as amortized cost or a price sheet.",
            (
                "It is a Data Export of AWS that is no bill, such as cost optimization "
                "recommendations or carbon emissions."
            ),
            (
                "An export is configured in the section of another: FOCUS of AWS in "
                "`[sources.aws_billing]`, or CUR 2.0 in `[sources.aws_focus_billing]`."
            ),
        ),
        remedies=(
            "Read the message: it names the file and the dataset that it is of.",
            "At Azure, create an export of the dataset 'Cost and usage details (FOCUS)'.",
            (
                "In AWS, create a 'Standard data export' of CUR 2.0 or of FOCUS, or a 'Legacy CUR "
                "export'."
            ),
            "Then set `prefix` and `export_name` to the new export, in the section for it.",
        ),
    ),
    Explanation(
        name="StoreError",
        exit_code=4,
        means="The store could not be listed or read.",
        causes=(
            "`bucket` or its scheme (`gs://`, `s3://`, `az://`) is misspelt.",
            "The account may not list or read the bucket.",
            "The network or the store was down for longer than `retry_for_s`.",
        ),
        remedies=(
            (
                "If the message names a role, grant it: `roles/storage.objectViewer` on a `gs://` "
                "bucket, `s3:ListBucket` and `s3:GetObject` on S3, 'Storage Blob Data Reader' on "
                "Azure. If it is granted, the credentials are wrong: a store answers both alike."
            ),
            "Check with `cloudbill doctor`.",
            "Run again later. Nothing was changed.",
        ),
    ),
    Explanation(
        name="PartMissingError",
        exit_code=4,
        means="A part that was listed is gone.",
        causes=(
            "The export overwrites its runs, and a newer run arrived while this one was read.",
            "A rule of the bucket deletes old objects.",
        ),
        remedies=(
            "Run again: the newer run is found and loaded.",
            (
                "Even better, let the export keep its runs (Azure: no overwriting; AWS: create new "
                "report versions)."
            ),
        ),
    ),
    Explanation(
        name="LoadError",
        exit_code=5,
        means="A month was not replaced. The table still has the old month, and the other months "
        "were loaded.",
        causes=(
            "A part is damaged, or its CSV is broken.",
            "The account may not write to the table, or run jobs.",
            "Another process locked the DuckDB file for longer than `lock_timeout_s`.",
            "The disk of the database, or of the temporary files, is full.",
            "The files of this month contain rows of another month.",
        ),
        remedies=(
            "Read the message: it names the month, the run and what failed.",
            (
                "On BigQuery, grant `roles/bigquery.jobUser` on the project and "
                "`roles/bigquery.dataEditor` on the dataset, if the message names a role. A "
                "project without billing, a service perimeter, policy tags and quotas are no "
                "missing roles, and the message says what each of them needs."
            ),
            (
                "If a part is damaged, copy it again from where the provider wrote it; if it is "
                "damaged there too, run the export again."
            ),
            (
                "If a disk is full, make room on the one that the message names, or set `database` "
                "or `TMPDIR` to a place on another one."
            ),
            "Then run `cloudbill load` again.",
        ),
    ),
    Explanation(
        name="BytesLimitError",
        exit_code=5,
        means="A query would bill more bytes than `maximum_bytes_billed` allows, so BigQuery did "
        "not run it. It cost nothing, and nothing was changed.",
        causes=(
            "The table has grown. A report reads the costs of all months, `verify` of one each.",
            "The key is set to less than one month needs.",
        ),
        remedies=(
            (
                "The message says how many bytes the query would bill. Set `maximum_bytes_billed` "
                "to more, or leave it out."
            ),
            (
                "A load does not end with this where it sums a month: the month is loaded without "
                "totals, and the log says so."
            ),
        ),
    ),
    Explanation(
        name="LastTryError",
        exit_code=5,
        means="The newest try to load a month, or a source, failed, and none has succeeded since.",
        causes=(
            "The run is damaged, and no newer one was delivered.",
            "The store or the warehouse could not be reached when the last load ran.",
        ),
        remedies=(
            "Read the message: it says when the try was, and why it failed.",
            "Do what that message says, then run `cloudbill load`. A load that succeeds ends this.",
        ),
    ),
    Explanation(
        name="OvertakenError",
        exit_code=5,
        means="Another process wrote the month after it was planned. The run of that process "
        "stays.",
        causes=(
            "Two schedulers, or a scheduler and a person, load the same table at the same time.",
        ),
        remedies=(
            "Nothing is lost. Run again to make sure that the newest run is loaded.",
            "Let one scheduler load one table.",
        ),
    ),
    Explanation(
        name="ReconciliationError",
        exit_code=5,
        means="Manifest, files and table do not agree on the rows or totals of a month. The "
        "month was not changed.",
        causes=(
            "A part was replaced while it was being loaded.",
            "A copy tool mixed parts of two different runs.",
            "The manifest states another row count than its files have.",
            "Rows belong to another month than the run, or say nothing of their month.",
        ),
        remedies=(
            "Run again: by then the delivery is complete.",
            (
                "If it still differs, compare the counts in the message with the files, and "
                "copy or export the run again."
            ),
        ),
    ),
    Explanation(
        name="SchemaError",
        exit_code=5,
        means="A column of the run does not fit the table. The month was not changed.",
        causes=(
            "The provider changed the type of a column, for example between versions of FOCUS.",
            "An amount has more digits than the table can store.",
            "The header of a part has an empty name, or the same name twice.",
        ),
        remedies=(
            "Read the message: it names the column.",
            (
                "Load the new version of the export into its own table: another section "
                "`[sources.<source>.<name>]` with another `table_name`."
            ),
        ),
    ),
    Explanation(
        name="TransientLoadError",
        exit_code=5,
        means="The warehouse failed for a passing reason. The month was not changed.",
        causes=(
            "BigQuery was busy, or limited the rate of requests.",
            "Another process changed the table while its columns were changed.",
            "A job of BigQuery was not done after six hours.",
            "The network was down for longer than `retry_for_s`.",
        ),
        remedies=(
            "Run again. A job that finished in the meantime is found, and does not run twice.",
            "If it happens every day, load at another time of day, or raise `retry_for_s`.",
        ),
    ),
)
