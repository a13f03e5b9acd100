"""Which dataset some columns, or a manifest, are of: to name what is delivered but not loaded.

Sources: Microsoft Learn, "Cost and usage details", "Price sheet" and the reservation datasets of
Cost Management; AWS, "Data Exports" table dictionary and the price list files; Google Cloud,
"Structure of Standard data export"; Oracle, "Cost and usage reports".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["AWS_FOCUS", "CUR", "FOCUS", "dataset_of_columns", "dataset_of_manifest"]

FOCUS: Final = "FOCUS"
AWS_FOCUS: Final = "an AWS FOCUS export"
CUR: Final = "an AWS Cost and Usage Report"
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
    ("AWS carbon emissions", frozenset({"totalmbmemissionsvalue"})),
    ("AWS cost optimization recommendations", frozenset({"recommendationid", "actiontype"})),
    ("a billing export of Google Cloud", frozenset({"billingaccountid", "exporttime"})),
    ("a cost report of Oracle Cloud", frozenset({"lineitemreferenceno", "costmycost"})),
)


def dataset_of_columns(headers: Iterable[str]) -> str | None:
    """What the dataset with these columns is called, or None where nobody knows it."""
    found = {"".join(filter(str.isalnum, header)).lower() for header in headers}
    return next((name for name, columns in _COLUMNS if columns <= found), None)


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
        return FOCUS if kind.lower() == "focuscost" else f"Azure's '{kind[:_LONGEST]}' dataset"
    names = [name for column in _list(document, "columns") if (name := _text(column, "name"))]
    if "executionId" in document or "exportArn" in document:
        table = dataset_of_columns(names)
        if table == FOCUS:
            return AWS_FOCUS
        return table or "an AWS Data Export that is no bill"
    if "assemblyId" in document:
        return CUR
    return dataset_of_columns(names)


def _list(document: Mapping[str, object], key: str) -> list[object]:
    found = document.get(key)
    return found if isinstance(found, list) else []


def _text(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) and found.isprintable() and found else None
