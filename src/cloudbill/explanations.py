"""What every error and every exit code means, what causes it, and what to do.

This is the only place for the text: `cloudbill explain` prints it, docs/errors.md is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "EXIT_CODES",
    "EXPLANATIONS",
    "ExitCode",
    "Explanation",
    "explanation_of",
    "explanations_of_code",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCode:
    """One number that the process ends with, as a scheduler sees it."""

    code: int
    means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One kind of error: `name` is its class in `cloudbill.errors`, or `UsageError`.

    `causes` are the common ones, the likeliest first; `remedies` are in the order to try them.
    """

    name: str
    exit_code: int
    means: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]


EXIT_CODES: Final = (
    ExitCode(
        code=0,
        means="Everything that can be loaded is loaded; or everything that was checked is in "
        "order.",
    ),
    ExitCode(
        code=1,
        means="Something else went wrong, such as writing the ledger; or `doctor` found something "
        "to fix.",
    ),
    ExitCode(
        code=2,
        means="The configuration or the command line is missing something, or contradicts itself; "
        "or `--month` names a month in the future, or one that no source has.",
    ),
    ExitCode(
        code=3,
        means="A manifest cannot be read, or none is where a source looks, or what is delivered is "
        "of a dataset that is not loaded; the other runs were loaded.",
    ),
    ExitCode(code=4, means="The store cannot be read."),
    ExitCode(
        code=5,
        means="A month was not replaced and the old month is unchanged; the other months were "
        "loaded. `status --check`: the newest try failed, and none has succeeded since.",
    ),
    ExitCode(
        code=6, means="Nothing failed, but a run is held: look at it, then `cloudbill accept`."
    ),
    ExitCode(
        code=7,
        means="`verify` found a month that differs. `status --check` and `doctor`: a month is not "
        "what was recorded, and the store has no run to load it again.",
    ),
    ExitCode(
        code=8,
        means="A run lacks a part for longer than `max_wait`; or the newest delivery of a source "
        "is older than `--max-age` or `max_age`.",
    ),
    ExitCode(code=130, means="You stopped the command; the months that were loaded are kept."),
)

EXPLANATIONS: Final = (
    Explanation(
        name="CloudbillError",
        exit_code=1,
        means="Something went wrong for which there is no other error, such as writing the ledger.",
        causes=(
            "The warehouse accepted a month, but not the few rows that record it in the ledger.",
            "The ledger cannot be read because somebody changed it by hand.",
            "`verify` does not have enough memory to read a file: `memory_limit` is too low.",
        ),
        remedies=(
            "Read the message: it says what failed, and what to do next.",
            "Run the same command again. Loaded months stay loaded, and are not loaded twice.",
            (
                "If the ledger and the table disagree, run `cloudbill doctor`, then "
                "`cloudbill state rebuild`."
            ),
        ),
    ),
    Explanation(
        name="ConfigError",
        exit_code=2,
        means="The configuration is missing a value, has an unknown key, or contradicts itself.",
        causes=(
            "The command runs in a folder that has no `.dlt/config.toml`.",
            "`bucket` or `export_name` is missing, or a key is misspelt.",
            "Two sources have the same `table_name`.",
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
            "The export has not delivered anything yet.",
            "An older export of Azure has no file partitioning, and therefore no manifest.",
            "The job that copies the export brings the data files, but not the manifests.",
        ),
        remedies=(
            "Read the message: it names the folder, what lies there, and the nearest names.",
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
            "It is an AWS Data Export (CUR 2.0, FOCUS), not a Cost and Usage Report.",
            "An export of one provider is configured as a source of the other.",
        ),
        remedies=(
            "Read the message: it names the file and the dataset that it is of.",
            "At Azure, create an export of the dataset 'Cost and usage details (FOCUS)'.",
            "In AWS, create a 'Legacy CUR export' with the compression type GZIP.",
            "Then set `prefix` and `export_name` to the new export.",
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
                "Azure."
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
            "The disk is full.",
            "The files of this month contain rows of another month.",
        ),
        remedies=(
            "Read the message: it names the month, the run and what failed.",
            (
                "On BigQuery, grant `roles/bigquery.jobUser` on the project and "
                "`roles/bigquery.dataEditor` on the dataset."
            ),
            "If a part is damaged, let the provider or the copy tool deliver it again.",
            "Then run `cloudbill load` again.",
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
        means="Manifest, files and table do not agree on the rows or totals of a month. The old "
        "month is unchanged.",
        causes=(
            "A part was replaced while it was being loaded.",
            "A copy tool mixed parts of two different runs.",
            "The manifest states another row count than its files have.",
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
        means="A column of the run does not fit the table. The old month is unchanged.",
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
        means="The warehouse failed for a passing reason. The old month is unchanged.",
        causes=(
            "BigQuery was busy, or limited the rate of requests.",
            "The network was down for longer than `retry_for_s`.",
        ),
        remedies=(
            "Run again. A job that finished in the meantime is found, and does not run twice.",
            "If it happens every day, load at another time of day, or raise `retry_for_s`.",
        ),
    ),
    Explanation(
        name="HeldError",
        exit_code=6,
        means="A run is held because of what it would replace. Nothing was changed.",
        causes=(
            "The newer run covers fewer days than the loaded run.",
            "The newer run has no rows, or fewer than `max_row_drop` allows.",
        ),
        remedies=(
            "Look at the held run: `cloudbill status`.",
            "If the run is right, load it: `cloudbill accept YYYY-MM`.",
            "If it is not, do nothing. The old month stays, and a later run replaces it.",
        ),
    ),
    Explanation(
        name="VerificationError",
        exit_code=7,
        means="The files of a month, its table and the record of its load differ.",
        causes=(
            "Somebody changed the table after it was loaded.",
            "The files were changed after they were loaded.",
        ),
        remedies=(
            "See where it differs, and by how much: `cloudbill verify --month YYYY-MM`.",
            (
                "If the files are right, load the month again: `cloudbill load --force --month "
                "YYYY-MM`."
            ),
        ),
    ),
    Explanation(
        name="StaleError",
        exit_code=8,
        means="The newest delivery of a source is older than you allow, or there is none.",
        causes=(
            "The export at the provider is switched off, or has expired.",
            "The job that copies the export between clouds has stopped, or its key has expired.",
            "`prefix` or `export_name` points to an older export.",
        ),
        remedies=(
            "See how old each source is: `cloudbill status`.",
            "Check the export at the provider, then the job that copies the export.",
            "If a source is always slow, allow more time: `cloudbill status --max-age 3d`.",
        ),
    ),
    Explanation(
        name="WaitingError",
        exit_code=8,
        means="A run lacks a part for longer than `max_wait` allows. The month stays as it was.",
        causes=(
            "The job that copies the export has stopped, or leaves some files out.",
            "A newer delivery overwrote the parts, and its manifest did not come.",
            "A rule of the bucket deleted a part.",
        ),
        remedies=(
            "See which runs wait, and for how many parts: `cloudbill status`.",
            "Let the copy job bring the part that the message names, or deliver the run again.",
            "If the run is of no use, delete its manifest from the store.",
            'If the export is slow by nature, set `max_wait` to more, such as `"2d"`.',
        ),
    ),
    Explanation(
        name="StoppedError",
        exit_code=130,
        means="You stopped the command. The months that were loaded before are kept; the month in "
        "progress stays as it was.",
        causes=("Ctrl-C, or a scheduler that asked the process to end.",),
        remedies=("Run `cloudbill load` again: it continues with what is missing.",),
    ),
)

_BY_NAME: Final = {explanation.name.lower(): explanation for explanation in EXPLANATIONS}


def explanation_of(error_class_name: str) -> Explanation | None:
    """The explanation of an error class, whose name may be in any case; None if there is none."""
    return _BY_NAME.get(error_class_name.lower())


def explanations_of_code(code: int) -> tuple[Explanation, ...]:
    """Every kind of error that ends with an exit code; none for 0 or an unused number."""
    return tuple(explanation for explanation in EXPLANATIONS if explanation.exit_code == code)
