"""Whether the files of a run are a bill of its provider, by their columns alone; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cloudbill.errors import DatasetError, SchemaError
from cloudbill.exports.limits import shown
from cloudbill.manifests import Column
from cloudbill.providers import PROVIDERS
from cloudbill.providers.datasets import dataset_of_columns, may_be

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = ["require_bill"]

_SHOWN_COLUMNS: Final = 3


def require_bill(
    columns: Sequence[Column],
    parts: Iterable[tuple[str, Collection[str], int | None]],
    provider: Provider,
    *,
    run_id: str,
) -> None:
    """Refuses files of another dataset, and a part whose rows say too little to be a bill.

    `columns` are those of the run. Each part has its address, for messages, the names of its
    columns in lower case, and its rows, where they are known. A manifest need not say what its
    files are, and what they have is a query of the customer's. Without the billed cost a month
    would load as one that costs nothing, and without the currency amounts of two currencies would
    be added up.

    A column in which a writer saw no value, so that it has no type, is there if it has one in
    another part.

    Raises:
        DatasetError: If the columns are those of another dataset.
        SchemaError: If a part lacks the column of the month, of the billed cost or the currency.
    """
    _require_dataset(columns, provider, run_id)
    typed = {column.target.lower() for column in columns}
    needed = (provider.PERIOD_COLUMN, provider.BILLED_COLUMN, provider.CURRENCY_COLUMN)
    for address, names, rows in parts:
        missing = [name for name in needed if name.lower() not in typed.intersection(names)]
        if missing and rows != 0:
            raise SchemaError(
                f"{address} has no column {' and no column '.join(map(repr, missing))}; the month, "
                "the billed cost and the currency of every row are needed. The month was not "
                "changed. Add what is missing to the columns of the export, and run it again"
            )


def _require_dataset(columns: Sequence[Column], provider: Provider, run_id: str) -> None:
    have = {column.target.lower() for column in columns}
    if not columns or provider.PERIOD_COLUMN.lower() in have:
        return
    dataset = dataset_of_columns(column.name for column in columns)
    if dataset is not None and not may_be(dataset, provider.DATASET):
        found = f"are of {dataset}"
    elif provider.BILLED_COLUMN.lower() not in have:
        first = ", ".join(shown(column.name) for column in columns[:_SHOWN_COLUMNS])
        found = f"are of an unknown dataset, whose columns begin with {first}"
    else:
        return
    # What another source of the same cloud loads is only in the wrong section.
    other = next((one for one in PROVIDERS.values() if _loads(one, dataset, provider)), None)
    where = "" if other is None else f" Configure it in [sources.{other.SECTION}]."
    raise DatasetError(
        f"The files of run {run_id} are not of {provider.DATASET}: they have no column "
        f"'{provider.PERIOD_COLUMN}', and {found}.{where} For this source, {provider.HOW_TO_EXPORT}"
    )


def _loads(other: Provider, dataset: str | None, provider: Provider) -> bool:
    return (
        other.CLOUD == provider.CLOUD
        and other.NAME != provider.NAME
        and dataset is not None
        and may_be(dataset, other.DATASET)
    )
