"""What is delivered to a report, and the sums that its page should show."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.periods import BillingPeriod
from contract.deliveries import (
    AwsWriter,
    AzureCsvWriter,
    AzureWriter,
    Charge,
    Delivery,
    Written,
    at,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OF_A_PLAN = "Refund for one-time fee for Savings Plan ID"
Key = tuple[str, ...]
Sums = dict[Key, list[Decimal | None]]


@dataclass(frozen=True)
class Words:
    """What a test puts into the note of a charge: its service, sub-account, tags and type."""

    service: str = ""
    account: str = ""
    team: str = ""
    type: str = "Usage"

    def note(self) -> str:
        return json.dumps([self.service, self.account, self.team, self.type], ensure_ascii=False)

    @classmethod
    def of(cls, charge: Charge) -> Words:
        return cls(*json.loads(charge.note)) if charge.note else cls()


def effective(charge: Charge) -> Decimal:
    """Another amount than the billed one, with as many digits."""
    return charge.cost + Decimal("0.000000000000000001")


def focus(table: Any, charges: Sequence[Charge]) -> Any:
    """A FOCUS table with the columns that a report reads."""
    words = [Words.of(charge) for charge in charges]
    costs = pa.array([effective(charge) for charge in charges], pa.decimal128(38, 18))
    table = table.set_column(table.column_names.index("EffectiveCost"), "EffectiveCost", costs)
    added = {
        "ProviderName": ["Microsoft"] * len(words),
        "ServiceName": [one.service for one in words],
        "SubAccountId": [f"/subscriptions/{one.account}" if one.account else "" for one in words],
        "SubAccountName": [one.account for one in words],
        "Tags": [json.dumps({"team": one.team, "x": "1"}) if one.team else "" for one in words],
        "ChargeCategory": ["Purchase" if "Fee" in one.type else "Usage" for one in words],
        "ChargeFrequency": ["Recurring" if "R" in one.type else "One-Time" for one in words],
    }
    for name, values in added.items():
        table = table.append_column(name, pa.array(values, pa.string()))
    return table


class ReportedAzure(AzureWriter):
    def _table(self, delivery: Delivery, charges: Sequence[Charge]) -> Any:
        return focus(super()._table(delivery, charges), charges)


class ReportedAzureCsv(AzureCsvWriter):
    def _table(self, delivery: Delivery, charges: Sequence[Charge]) -> Any:
        return focus(super()._table(delivery, charges), charges)


class ReportedAws(AwsWriter):
    def _manifest(
        self, delivery: Delivery, period: BillingPeriod, below: str, parts: Sequence[Path]
    ) -> dict[str, Any]:
        manifest = super()._manifest(delivery, period, below, parts)
        for column in manifest["columns"]:
            if column["name"].endswith(("Cost", "Fee", "Period", "ToDate", "Commitment")):
                column["type"] = "OptionalBigDecimal"
        return manifest

    def _row(self, delivery: Delivery, charge: Charge) -> dict[str, str]:
        words = Words.of(charge)
        of_a_plan = {"lineItem/LineItemDescription": f"{OF_A_PLAN} : 7"}
        return super()._row(delivery, charge) | {
            **(of_a_plan if words.type == "Refund of a plan" else {}),
            "lineItem/LineItemType": words.type.removesuffix(" of a plan"),
            "lineItem/UsageAccountId": words.account,
            "lineItem/ProductCode": words.service,
            "product/ProductName": "",
            "pricing/publicOnDemandCost": "2.5"
            if words.type in {"Usage", "SavingsPlanNegation"}
            else "",
            "reservation/EffectiveCost": f"{effective(charge):f}",
            "reservation/ReservationARN": "arn:ri" if words.type in {"RIFee", "Fee"} else "",
            "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": "0.25",
            "reservation/UnusedRecurringFee": "0.125",
            "savingsPlan/SavingsPlanEffectiveCost": "0.000000000000000003",
            "savingsPlan/TotalCommitmentToDate": "9",
            "savingsPlan/UsedCommitment": "7.5",
            "resourceTags/user:team": words.team,
        }


WRITERS: dict[str, type[AzureWriter | AwsWriter]] = {
    "azure parquet": ReportedAzure,
    "azure csv": ReportedAzureCsv,
    "aws": ReportedAws,
}


def run(period: str, *charges: Charge, submitted_at: str = "2026-01-01 04:00") -> Delivery:
    return Delivery(
        period=period, charges=charges, submitted_at=at(submitted_at), run_id=f"run-{period}"
    )


def charge(day: str, cost: str, words: Words | None = None, currency: str = "EUR") -> Charge:
    return Charge(
        day=datetime.fromisoformat(day).replace(tzinfo=UTC).date(),
        cost=Decimal(cost),
        note=(words or Words()).note(),
        currency=currency,
    )


def rows_of(written: Written) -> Iterable[Mapping[str, Any]]:
    """The rows of all parts, read without the code under test."""
    for part in written.parts:
        if part.suffix == ".parquet":
            yield from pq.read_table(part).to_pylist()
        else:
            text = gzip.decompress(part.read_bytes()).decode("utf-8-sig")
            yield from csv.DictReader(io.StringIO(text, newline=""))


def number(value: Any) -> Decimal | None:
    return None if value in ("", None) else Decimal(value)


def amounts_of(row: Mapping[str, Any]) -> list[Decimal | None]:
    """Billed, effective, list and contracted cost of a row, by the words of the providers."""
    if "BilledCost" in row:
        names = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
        return [number(row[name]) for name in names]
    billed = number(row["lineItem/UnblendedCost"])
    amortized = {
        "DiscountedUsage": number(row["reservation/EffectiveCost"]),
        "RIFee": Decimal("0.25") + Decimal("0.125"),
        "Fee": Decimal(0),
        "SavingsPlanCoveredUsage": number(row["savingsPlan/SavingsPlanEffectiveCost"]),
        "SavingsPlanNegation": Decimal(0),
        "SavingsPlanUpfrontFee": Decimal(0),
        "SavingsPlanRecurringFee": Decimal(9) - Decimal("7.5"),
    }.get(row["lineItem/LineItemType"], billed)
    if row["lineItem/LineItemDescription"].startswith(OF_A_PLAN):
        amortized = Decimal(0)
    public = number(row["pricing/publicOnDemandCost"])
    listed, contracted = billed if public is None else public, billed
    match row["lineItem/LineItemType"]:
        case "SavingsPlanNegation":
            listed = contracted = Decimal(0)
        case "DiscountedUsage":
            listed = contracted = public or Decimal(0)
        case "Tax" | "Credit" | "Refund":
            listed = billed
        case _:
            pass
    return [billed, amortized, listed, contracted]


def names_of(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Day, service, sub-account, team and currency of a row."""
    if "BilledCost" in row:
        team = json.loads(row["Tags"])["team"] if row["Tags"] else ""
        day = str(row["ChargePeriodStart"])[:10]
        return day, row["ServiceName"], row["SubAccountId"], team, row["BillingCurrency"]
    return (
        row["lineItem/UsageStartDate"][:10],
        row["lineItem/ProductCode"],
        row["lineItem/UsageAccountId"],
        row["resourceTags/user:team"],
        row["lineItem/CurrencyCode"],
    )


def purchase_of(row: Mapping[str, Any]) -> str:
    """Which purchase a row is, by the words of the providers."""
    if "BilledCost" in row:
        if row["ChargeCategory"] != "Purchase":
            return ""
        return "once" if row["ChargeFrequency"] == "One-Time" else "recurring"
    kind = row["lineItem/LineItemType"]
    if kind == "Refund":
        is_once = row["lineItem/LineItemDescription"].startswith(OF_A_PLAN)
        return "once" if is_once else ""
    is_support = "Support" in row["lineItem/ProductCode"]
    is_once = kind == "SavingsPlanUpfrontFee" or (kind == "Fee" and not is_support)
    return "once" if is_once else "recurring" if kind.endswith("Fee") else ""


def charges_of(
    row: Mapping[str, Any], amounts: list[Decimal | None]
) -> list[tuple[str, list[Decimal | None]]]:
    """The charges of a row: the fee of a commitment is a purchase, and usage of what is unused."""
    if row.get("lineItem/LineItemType") not in {"RIFee", "SavingsPlanRecurringFee"}:
        return [(purchase_of(row), amounts)]
    billed, amortized, listed, contracted = amounts
    fee = [billed, Decimal(0), listed, contracted]
    return [(purchase_of(row), fee), ("", [None, amortized, None, None])]


def add(sums: Sums, key: Key, amounts: Sequence[Decimal | None]) -> None:
    held = sums.setdefault(key, [None] * 4)
    for index, amount in enumerate(amounts):
        if amount is not None:
            held[index] = (held[index] or Decimal(0)) + amount


def expected(months: Mapping[str, Written]) -> tuple[Sums, Sums, Sums]:
    """The sums by month, by day and by team that the files make."""
    by_month: Sums = {}
    by_day: Sums = {}
    by_team: Sums = {}
    for month, written in months.items():
        for row in rows_of(written):
            day, service, account, team, currency = names_of(row)
            amounts = amounts_of(row)
            add(by_month, (month, service, account, currency), amounts)
            for purchase, amounts_of_it in charges_of(row, amounts):
                add(by_day, (month, day, purchase, service, account, currency), amounts_of_it)
            add(by_team, (month, team, currency), amounts)
    return by_month, by_day, by_team
