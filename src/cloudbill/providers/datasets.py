"""Which dataset some columns, or a manifest, are of: to name what is delivered but not loaded.

Sources: Microsoft Learn, "Cost and usage details", "Price sheet" and the reservation datasets of
Cost Management; AWS, "Data Exports" table dictionary and the price list files; Google Cloud,
"Structure of Standard data export"; Oracle, "Cost and usage reports".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = [
    "AWS_FOCUS",
    "AZURE_FOCUS",
    "CARBON",
    "COST_OPTIMIZATION",
    "CUR",
    "FOCUS",
    "OTHER_DATA_EXPORT",
    "dataset_of_columns",
    "dataset_of_data_export",
    "dataset_of_manifest",
    "may_be",
]

FOCUS: Final = "FOCUS"
"""What columns say, which do not tell whose FOCUS it is; a manifest does."""
AZURE_FOCUS: Final = "an Azure FOCUS export"
AWS_FOCUS: Final = "an AWS FOCUS export"
CUR: Final = "an AWS Cost and Usage Report"
CARBON: Final = "AWS carbon emissions"
COST_OPTIMIZATION: Final = "AWS cost optimization recommendations"
OTHER_DATA_EXPORT: Final = "an AWS Data Export that is no bill"
_LONGEST: Final = 40

# The columns that a dataset has and the others lack, in any spelling. A FOCUS dataset has columns
# that its provider added, so it comes first.
_COLUMNS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    (FOCUS, frozenset({"billedcost", "chargeperiodstart"})),
    (CUR, frozenset({"lineitemunblendedcost"})),
    ("Azure's actual or amortized cost", frozenset({"costinbillingcurrency"})),
    ("Azure's actual or amortized cost", frozenset({"pretaxcost"})),
    ("Azure's actual or amortized cost", frozenset({"cost", "meterid", "unitprice"})),
    ("an Azure price sheet", frozenset({"meterid", "unitprice", "effectivestartdate"})),
    ("Azure's reservation details", frozenset({"reservationid", "usedhours"})),
    ("Azure's reservation recommendations", frozenset({"recommendedquantity", "netsavings"})),
    ("Azure's reservation transactions", frozenset({"reservationorderid", "eventtype"})),
    ("an AWS price list", frozenset({"sku", "offertermcode", "priceperunit"})),
    (CARBON, frozenset({"totalmbmemissionsvalue"})),
    (COST_OPTIMIZATION, frozenset({"recommendationid", "actiontype"})),
    ("a billing export of Google Cloud", frozenset({"billingaccountid", "exporttime"})),
    ("a cost report of Oracle Cloud", frozenset({"lineitemreferenceno", "costmycost"})),
)

_ONLY_FOCUS: Final = frozenset(
    {"billedcost", "effectivecost", "chargeperiodstart", "chargecategory"}
)
_ONLY_CUR: Final = ("lineitem", "billbilling", "billpayer")


def dataset_of_columns(headers: Iterable[str]) -> str | None:
    """What the dataset with these columns is called, or None where nobody knows it."""
    found = _squeezed(headers)
    return next((name for name, columns in _COLUMNS if columns <= found), None)


def dataset_of_data_export(headers: Iterable[str]) -> str | None:
    """What a Data Export of AWS with these columns is of; None where it names none.

    An export is a query of the customer's, so that one column has to do.
    """
    found = _squeezed(headers)
    if not found:
        return None
    known = next((name for name, columns in _COLUMNS if columns <= found), None)
    if known == FOCUS or (known is None and found & _ONLY_FOCUS):
        return AWS_FOCUS
    if known is None and any(name.startswith(_ONLY_CUR) for name in found):
        return CUR
    return known or OTHER_DATA_EXPORT


def may_be(found: str, dataset: str) -> bool:
    """Whether files whose columns say `found` may be of a dataset."""
    return found == dataset or (found == FOCUS and dataset in {AZURE_FOCUS, AWS_FOCUS})


def dataset_of_manifest(content: bytes) -> str | None:
    """What a manifest of any provider describes, or None where it is not known, or is no JSON."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return _dataset_of(document) if isinstance(document, Mapping) else None


def _dataset_of(document: Mapping[str, object]) -> str | None:
    kind = _text(document.get("exportConfig"), "type")
    if kind is not None:
        is_focus = kind.lower() == "focuscost"
        return AZURE_FOCUS if is_focus else f"Azure's '{kind[:_LONGEST]}' dataset"
    names = [name for column in _list(document, "columns") if (name := _text(column, "name"))]
    if "executionId" in document or "exportArn" in document:
        return dataset_of_data_export(names)
    if "assemblyId" in document:
        return CUR
    return dataset_of_columns(names)


def _squeezed(headers: Iterable[str]) -> set[str]:
    return {"".join(filter(str.isalnum, header)).lower() for header in headers}


def _list(document: Mapping[str, object], key: str) -> list[object]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _text(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and found.isprintable() and found else None
