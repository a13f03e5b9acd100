"""The columns of CUR 2.0, which has maps where a report has a column for each key.

Source: AWS, "Data Exports User Guide", the table dictionary of CUR 2.0 with resources and without
split cost allocation; exports as delivered.
"""

from cloudbill.sample.aws.catalogue import ACCOUNTS
from cloudbill.sample.aws.columns import aws_columns
from cloudbill.sample.aws.form_columns import (
    Column,
    Kind,
    athena_name,
    cell,
    map_of,
    report_columns,
)
from cloudbill.sample.sql import quote_text

__all__ = ["account_name", "cur2_columns", "private_discount", "resource_tags"]

_COLUMNS: dict[str, str] = {
    "identity": "line_item_id time_interval",
    "bill": "invoice_id invoicing_entity billing_entity bill_type payer_account_id "
    "payer_account_name billing_period_start_date billing_period_end_date",
    "line_item": "usage_account_id usage_account_name line_item_type usage_start_date "
    "usage_end_date product_code usage_type operation availability_zone resource_id usage_amount "
    "normalization_factor normalized_usage_amount currency_code unblended_rate unblended_cost "
    "user_identifier blended_rate blended_cost line_item_description tax_type net_unblended_rate "
    "net_unblended_cost legal_entity",
    "product": "servicecode operation usagetype sku product_family comment fee_code "
    "fee_description location location_type region_code from_location from_location_type "
    "from_region_code to_location to_location_type to_region_code instance_family instance_type "
    "instancesku pricing_unit",
    "pricing": "lease_contract_length offering_class purchase_option rate_code rate_id currency "
    "public_on_demand_rate public_on_demand_cost term unit",
    "reservation": "availability_zone start_time end_time modification_status "
    "amortized_upfront_cost_for_usage amortized_upfront_fee_for_billing_period "
    "unused_amortized_upfront_fee_for_billing_period recurring_fee_for_usage "
    "unused_recurring_fee effective_cost upfront_value net_amortized_upfront_cost_for_usage "
    "net_amortized_upfront_fee_for_billing_period "
    "net_unused_amortized_upfront_fee_for_billing_period net_recurring_fee_for_usage "
    "net_unused_recurring_fee net_effective_cost net_upfront_value "
    "normalized_units_per_reservation number_of_reservations reservation_a_r_n subscription_id "
    "total_reserved_normalized_units total_reserved_units units_per_reservation "
    "unused_normalized_unit_quantity unused_quantity",
    "savings_plan": "total_commitment_to_date savings_plan_a_r_n savings_plan_rate "
    "used_commitment savings_plan_effective_cost amortized_upfront_commitment_for_billing_period "
    "recurring_commitment_for_billing_period net_savings_plan_effective_cost "
    "net_amortized_upfront_commitment_for_billing_period "
    "net_recurring_commitment_for_billing_period start_time end_time instance_type_family "
    "offering_type payment_option purchase_term region",
    "discount": "bundled_discount total_discount",
}
"""Their names after the category."""
_NUMBERS = ("_cost", "_fee", "_period", "_value", "_discount", "_quantity", "_for_usage")


def cur2_columns(months_before: int) -> tuple[Column, ...]:
    """The columns of CUR 2.0; what a report does not have is empty."""
    known = {column.name: column for column in report_columns(months_before)}
    known |= {
        name: Column(name=name, kind="string", sql=account_name(cell(header)))
        for name, header in {
            "bill_payer_account_name": "bill/PayerAccountId",
            "line_item_usage_account_name": "lineItem/UsageAccountId",
        }.items()
    }
    names = [f"{category}_{name}" for category, rest in _COLUMNS.items() for name in rest.split()]
    columns = [
        known.get(name, Column(name=name, kind=_kind_of(name), sql="CAST(NULL AS VARCHAR)"))
        for name in names
    ]
    return (*columns, *_maps(months_before, set(names)))


def _kind_of(name: str) -> Kind:
    return "double" if name.endswith(_NUMBERS) else "string"


def _maps(months_before: int, single: set[str]) -> tuple[Column, ...]:
    headers = list(aws_columns(months_before))
    product = {
        athena_name(header).removeprefix("product_"): cell(header)
        for header in headers
        if header.startswith("product/") and athena_name(header) not in single
    }
    category = {"Department": cell("costCategory/Department")}
    tags = resource_tags(months_before)
    all_tags = {f"resourceTag/{key}": sql for key, sql in tags.items()}
    # The category is the account's here, so the tag of the account says the same.
    all_tags["accountTag/department"] = cell("costCategory/Department")
    in_report = {key.replace(":", "_", 1): sql for key, sql in tags.items()}
    return (
        Column(name="product", kind="map<string,string>", sql=map_of(product)),
        Column(name="discount", kind="map<string,double>", sql=private_discount()),
        Column(name="resource_tags", kind="map<string,string>", sql=map_of(in_report)),
        Column(name="tags", kind="map<string,string>", sql=map_of(all_tags)),
        Column(name="cost_category", kind="map<string,string>", sql=map_of(category)),
    )


def resource_tags(months_before: int) -> dict[str, str]:
    """The tags of a line as SQL, by their keys, which may differ by case alone."""
    prefix = "resourceTags/"
    return {
        header.removeprefix(prefix): cell(header)
        for header in aws_columns(months_before)
        if header.startswith(prefix)
    }


def private_discount() -> str:
    """The discount of usage whose rate is below the public one, as SQL."""
    cost, public = (
        f"CAST({cell(name)} AS DECIMAL(28,10))"
        for name in ("lineItem/UnblendedCost", "pricing/publicOnDemandCost")
    )
    applies = f"{cell('lineItem/LineItemType')} = 'Usage' AND {cost} < {public}"
    amount = f"CASE WHEN {applies} THEN CAST(number_text({cost} - {public}) AS DOUBLE) END"
    return map_of({"PrivateRateDiscount": amount})


def account_name(account: str) -> str:
    """The name of an account as SQL, from the SQL of its id."""
    cases = " ".join(
        f"WHEN {quote_text(number)} THEN {quote_text(name)}" for number, name, _ in ACCOUNTS
    )
    return f"CASE {account} {cases} END"
