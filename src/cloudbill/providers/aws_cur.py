"""AWS Cost and Usage Reports: legacy reports and CUR 2.0, as Parquet and as CSV.

Which of these forms a run has is seen from where its manifest lies and from what it lists. All of
them go into one table, and a month may change its form.

Sources: AWS, "Cost and Usage Reports User Guide" and "Data Exports User Guide".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudbill.manifests import ColumnType, Manifest, StoredObject
from cloudbill.providers import data_exports, datasets
from cloudbill.providers.aws_manifest import own_name, stated_type
from cloudbill.providers.cur_columns import athena_name, documented_type
from cloudbill.providers.cur_reports import (
    RANGE,
    is_report,
    month_of_report,
    place_of_report,
    read_report,
)
from cloudbill.providers.roles import CostCase, CostKind, CostRule, Roles, TextTest

__all__ = [
    "BILLED_COLUMN",
    "CLOUD",
    "CLUSTER_COLUMN",
    "COST_COLUMNS",
    "CURRENCY_COLUMN",
    "DATASET",
    "DEFAULT_TABLE",
    "HOW_TO_EXPORT",
    "HOW_TO_GET_MANIFESTS",
    "NAME",
    "PERIOD_COLUMN",
    "ROLES",
    "SECTION",
    "TITLE",
    "column_name",
    "column_type",
    "export_of",
    "export_roots",
    "is_amount",
    "is_manifest",
    "is_month_folder",
    "manifest_name",
    "month_of",
    "read_manifest",
]

NAME: Final = "aws"
CLOUD: Final = "aws"
TITLE: Final = "AWS billing"
DATASET: Final = datasets.CUR
SECTION: Final = data_exports.SECTIONS[DATASET]
HOW_TO_EXPORT: Final = (
    "create a 'Standard data export' of CUR 2.0, or a 'Legacy CUR export', under 'Data Exports' in "
    "AWS"
)
HOW_TO_GET_MANIFESTS: Final = (
    "AWS writes one with each run: of a report into the folder of the month, of a Data Export into "
    "metadata/, beside data/. If a job copies the files, let it copy the manifests as well"
)
DEFAULT_TABLE: Final = "aws_cur_billing_data"
PERIOD_COLUMN: Final = "bill_billing_period_start_date"
CLUSTER_COLUMN: Final = "line_item_usage_start_date"
CURRENCY_COLUMN: Final = "line_item_currency_code"
BILLED_COLUMN: Final = "line_item_unblended_cost"
COST_COLUMNS: Final = (
    "line_item_unblended_cost",
    "line_item_blended_cost",
    "pricing_public_on_demand_cost",
    "reservation_effective_cost",
    "savings_plan_savings_plan_effective_cost",
)
_PUBLIC_COST: Final = "pricing_public_on_demand_cost"
_TYPE: Final = "line_item_line_item_type"
_PRODUCT: Final = "line_item_product_code"
_RETURNED_PLAN: Final = "Refund for one-time fee for Savings Plan ID"
_REFUND: Final = (
    TextTest(column=_TYPE, equals=("Refund",)),
    TextTest(column="line_item_tax_type", is_not=True),
)
_RETURNED: Final = (
    (*_REFUND, TextTest(column="line_item_line_item_description", begins=(_RETURNED_PLAN,))),
    (*_REFUND, TextTest(column="savings_plan_savings_plan_a_r_n")),
    (*_REFUND, TextTest(column="reservation_reservation_a_r_n")),
    (*_REFUND, TextTest(column=_PRODUCT, ends=("SavingsPlans",))),
)
"""Refunds of commitments, which are purchases too."""
_ONE_TIME: Final = (
    (TextTest(column=_TYPE, equals=("SavingsPlanUpfrontFee",)),),
    (
        TextTest(column=_TYPE, equals=("Fee",)),
        # What is paid for support recurs.
        TextTest(column=_PRODUCT, contains=("Support",), is_not=True),
        TextTest(column=_PRODUCT, equals=("AWSEnterpriseOnRamp",), is_not=True),
    ),
    *_RETURNED,
)
_FEES: Final = (
    "Fee",
    "RIFee",
    "SavingsPlanUpfrontFee",
    "SavingsPlanRecurringFee",
    "FlatRateSubscription",
)
_NO_USAGE: Final = (*_FEES, "Tax", "Credit", "Refund")
# What these have as their effective cost is what is unused of a commitment.
_HALF_UNUSED: Final = ("RIFee", "SavingsPlanRecurringFee")
_PURCHASES: Final = ((TextTest(column=_TYPE, equals=_FEES),), *_RETURNED)
ROLES: Final = Roles(
    costs={
        CostKind.BILLED: CostRule(otherwise=BILLED_COLUMN),
        CostKind.EFFECTIVE: CostRule(
            otherwise=BILLED_COLUMN,
            type_column=_TYPE,
            cases=(
                CostCase(
                    type="SavingsPlanCoveredUsage",
                    plus=("savings_plan_savings_plan_effective_cost",),
                ),
                CostCase(
                    type="SavingsPlanRecurringFee",
                    plus=("savings_plan_total_commitment_to_date",),
                    minus=("savings_plan_used_commitment",),
                ),
                CostCase(type="SavingsPlanNegation"),
                CostCase(type="SavingsPlanUpfrontFee"),
                CostCase(type="DiscountedUsage", plus=("reservation_effective_cost",)),
                CostCase(
                    type="RIFee",
                    plus=(
                        "reservation_unused_amortized_upfront_fee_for_billing_period",
                        "reservation_unused_recurring_fee",
                    ),
                ),
                CostCase(type="Fee", where_set="reservation_reservation_a_r_n"),
                CostCase(
                    type="Refund",
                    where_begins=("line_item_line_item_description", _RETURNED_PLAN),
                ),
            ),
        ),
        CostKind.LIST: CostRule(
            otherwise=_PUBLIC_COST,
            fallback=BILLED_COLUMN,
            type_column=_TYPE,
            cases=(
                CostCase(type="SavingsPlanNegation"),
                CostCase(type="DiscountedUsage", plus=(_PUBLIC_COST,)),
                *(CostCase(type=name, plus=(BILLED_COLUMN,)) for name in _NO_USAGE),
                CostCase(type="Discount", is_ending=True, plus=(BILLED_COLUMN,)),
            ),
        ),
        CostKind.CONTRACTED: CostRule(
            otherwise=BILLED_COLUMN,
            type_column=_TYPE,
            cases=(
                CostCase(type="SavingsPlanNegation"),
                CostCase(type="DiscountedUsage", plus=(_PUBLIC_COST,)),
            ),
        ),
    },
    net={
        BILLED_COLUMN: "line_item_net_unblended_cost",
        "savings_plan_savings_plan_effective_cost": "savings_plan_net_savings_plan_effective_cost",
        "reservation_effective_cost": "reservation_net_effective_cost",
        "reservation_unused_amortized_upfront_fee_for_billing_period": (
            "reservation_net_unused_amortized_upfront_fee_for_billing_period"
        ),
        "reservation_unused_recurring_fee": "reservation_net_unused_recurring_fee",
    },
    provider_name="AWS",
    service=("product_product_name", "product.product_name", "line_item_product_code"),
    sub_account_id=("line_item_usage_account_id",),
    sub_account_name=("line_item_usage_account_name",),
    tags_column="resource_tags",
    tags_prefix="resource_tags_",
    purchases=_PURCHASES,
    one_time=_ONE_TIME,
    half_unused=((TextTest(column=_TYPE, equals=_HALF_UNUSED),),),
    derived={
        CostKind.LIST: (
            "what has no public price, such as fees, taxes and credits, counts as billed"
        ),
        CostKind.CONTRACTED: (
            "a report has none, so what no commitment covers counts as billed, and what one covers "
            "at its price on demand"
        ),
    },
    tags_header="resourceTags/",
)
"""The effective cost is AWS's amortized cost (AWS Cost and Usage Report user guide, "Understanding
your amortized reservation data", "Understanding Savings Plans" and the amortized queries of the CUR
Query Library): usage that a commitment covers counts at its effective cost, and the fee of a
commitment counts with its unused part, because the used part is in the usage. The upfront fee of a
savings plan does not count, and so its refund does not when the plan is returned. A negation states
the public price of what it negates once more. A report has no contracted cost, and public prices
only for usage. Both kinds of cost are those of the view `focus`, whose mapping says who published
the rules: what has no public price counts as billed, and so does what no commitment covers.
"""


def export_roots(prefix: str, export_name: str) -> tuple[str, ...]:
    """`<prefix>/<export_name>/`, or `<prefix>/` if a copy tool dropped the folder of the report.

    Extra slashes in the prefix mean nothing, or else folders without a name.
    """
    above = "".join(f"{folder}/" for folder in prefix.split("/") if folder)
    name = f"{export_name.strip('/')}/"
    # AWS adds a slash even after a prefix that ends in one, and before a report without a prefix.
    exact = [f"{prefix}/{name}", *([f"{prefix}{name}"] if prefix.endswith("/") else [])]
    return tuple(dict.fromkeys((f"{above}{name}", *exact, above)))


def is_manifest(path: str, export_name: str) -> bool:
    """Whether a path below a root is a run's manifest, `<export_name>-Manifest.json`."""
    name = own_name(export_name)
    return is_report(path, name) or data_exports.is_data_export(path, name)


def manifest_name(export_name: str) -> str:
    """`<report>-Manifest.json`."""
    return f"{own_name(export_name)}-Manifest.json"


def is_month_folder(name: str) -> bool:
    """`YYYYMMDD-YYYYMMDD`, `BILLING_PERIOD=YYYY-MM`, or `month=M` below `year=YYYY`."""
    return (
        RANGE.fullmatch(name) is not None
        or data_exports.MONTH_FOLDER.fullmatch(name) is not None
        or name.startswith("month=")
    )


def export_of(path: str) -> tuple[str, str] | None:
    """The path before the report's folder, or before the month if a copy dropped that folder."""
    return place_of_report(path) or data_exports.export_of(path)


def month_of(path: str) -> str | None:
    """The month of the folder that a file is in, as `YYYYMM`."""
    return month_of_report(path) or data_exports.month_of(path)


def column_name(header: str) -> str:
    """The name that AWS gives the column of a report in Athena; Data Exports have theirs."""
    return athena_name(header)


def is_amount(name: str) -> bool:
    """Whether a column is documented as money, price or quantity."""
    return documented_type(name) is ColumnType.DECIMAL


def column_type(header: str, manifest: Manifest) -> ColumnType:
    """The type from the manifest, otherwise from AWS's documentation, otherwise text.

    What AWS documents as something else than text is that, whatever the manifest says.

    A manifest may list fewer columns than its files have.
    """
    return stated_type(header, manifest) or documented_type(header)


def read_manifest(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
) -> Manifest:
    """Parses the manifest of a report, or that of a Data Export with CUR 2.0.

    Raises:
        ManifestError: If a value is missing or cannot be read, or it is of another dataset.
    """
    if not data_exports.is_data_export(stored.path.removeprefix(root), own_name(export)):
        return read_report(
            content, stored=stored, root=root, export=export, listing=listing, provider=NAME
        )
    return data_exports.read_data_export(
        content,
        stored=stored,
        root=root,
        export=export,
        listing=listing,
        provider=NAME,
        dataset=DATASET,
        required=(PERIOD_COLUMN, BILLED_COLUMN),
        documented=documented_type,
    )
