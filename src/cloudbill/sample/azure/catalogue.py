"""The resources of the company in the Azure sample: meters, subscriptions, regions, tags."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

__all__ = [
    "COMPANY",
    "REGIONS",
    "SKUS",
    "SUBSCRIPTIONS",
    "Sku",
    "Subscription",
    "TAGS",
]

COMPANY = "Kaskade Mühlenwerke GmbH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """A meter and how much of it a resource uses."""

    service: str
    category: str
    type_name: str
    """The resource type for people; empty if there is no resource."""
    type_id: str
    """The resource type for the resource manager."""
    name: str
    """The beginning of the names of such resources."""
    meter: tuple[str, str, str]
    """Category, subcategory and name of the meter."""
    family: str
    """Service family of the SKU."""
    unit: str
    consumed_unit: str
    prices_usd: tuple[str, str, str]
    """List, contracted and effective unit price, at most 6 fraction digits, so that a price times a
    4-digit rate times an 8-digit quantity ends at the 18th digit.
    """
    daily: str
    """Pricing units of one resource on one day in January 2025."""
    block: int = 1
    """Consumed units in one pricing unit."""
    spread: int = 20
    """The variation of a day in percent; 0 for use around the clock."""
    growth: int = 2
    """Percent of growth from month to month."""
    moves: Mapping[int, int] = field(default_factory=dict)
    """Percent of the usual use since a month of the year, for visible changes."""
    commitment: Literal["", "reservation", "savings plan"] = ""
    """The commitment that covers its use; empty for none."""
    regional: bool = True
    """Whether it has a region."""
    publisher: str = "Microsoft"
    details: Mapping[str, object] = field(default_factory=dict)
    """x_SkuDetails before the conversion to JSON text."""

    @property
    def price_list(self) -> tuple[Decimal, Decimal, Decimal]:
        """List, contracted and effective unit price in USD."""
        listed, contracted, effective = self.prices_usd
        return Decimal(listed), Decimal(contracted), Decimal(effective)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """An Azure subscription and the department that pays for it."""

    name: str
    section: str
    cost_center: str
    environment: str


def _machine(
    size: str,
    series: str,
    prices: tuple[str, str, str],
    commitment: Literal["", "reservation", "savings plan"] = "",
) -> Sku:
    return Sku(
        service="Virtual Machines",
        category="Compute",
        type_name="Virtual machine",
        type_id="microsoft.compute/virtualmachines",
        name="vm",
        meter=("Virtual Machines", f"Virtual Machines {series} Series", size),
        family="Compute",
        unit="Hours",
        consumed_unit="Hours",
        prices_usd=prices,
        daily="24",
        spread=0,
        growth=0,
        details={"ServiceType": f"Standard_{size.replace(' ', '_')}", "ImageType": "Canonical"},
        commitment=commitment,
    )


SKUS: tuple[Sku, ...] = (
    _machine("D4s v5", "Dsv5", ("0.230000", "0.211600", "0.211600")),
    _machine("D4s v5", "Dsv5", ("0.230000", "0.211600", "0.136850"), commitment="reservation"),
    _machine("E8s v5", "Esv5", ("0.608000", "0.559360", "0.412224"), commitment="savings plan"),
    _machine("B2ms", "BS", ("0.096000", "0.088320", "0.088320")),
    Sku(
        service="Azure Kubernetes Service",
        category="Compute",
        type_name="Kubernetes service",
        type_id="microsoft.containerservice/managedclusters",
        name="aks",
        meter=("Azure Kubernetes Service", "", "Standard Uptime SLA"),
        family="Compute",
        unit="Hours",
        consumed_unit="Hours",
        prices_usd=("0.100000", "0.092000", "0.092000"),
        daily="96",
        moves={9: 125, 10: 190, 11: 205, 12: 210},
    ),
    Sku(
        service="Virtual Machine Scale Sets",
        category="Compute",
        type_name="Virtual machine scale set",
        type_id="microsoft.compute/virtualmachinescalesets",
        name="aks-pool",
        meter=("Virtual Machines", "Virtual Machines Ddsv5 Series", "D8ds v5"),
        family="Compute",
        unit="Hours",
        consumed_unit="Hours",
        prices_usd=("0.544000", "0.500480", "0.375361"),
        daily="71.98333333",
        growth=3,
        moves={9: 125, 10: 190, 11: 205, 12: 210},
        commitment="savings plan",
    ),
    Sku(
        service="SQL Database",
        category="Databases",
        type_name="SQL database",
        type_id="microsoft.sql/servers/databases",
        name="sqldb",
        meter=("SQL Database", "Single/Elastic Pool General Purpose - Compute Gen5", "vCore"),
        family="Databases",
        unit="Hours",
        consumed_unit="Hours",
        prices_usd=("0.252278", "0.232096", "0.232096"),
        daily="96",
        spread=0,
        growth=0,
        moves={10: 55, 11: 50, 12: 50},
    ),
    Sku(
        service="SQL Database",
        category="Databases",
        type_name="SQL database",
        type_id="microsoft.sql/servers/databases",
        name="sqldb",
        meter=("SQL Database", "Single/Elastic Pool General Purpose - Storage", "Data Stored"),
        family="Databases",
        unit="GB/Month",
        consumed_unit="GB",
        prices_usd=("0.115000", "0.105800", "0.105800"),
        daily="16.51612903",
        spread=1,
    ),
    Sku(
        service="Storage Accounts",
        category="Storage",
        type_name="Storage account",
        type_id="microsoft.storage/storageaccounts",
        name="st",
        meter=("Storage", "Tiered Block Blob", "Hot LRS Data Stored"),
        family="Storage",
        unit="GB/Month",
        consumed_unit="GB",
        prices_usd=("0.018400", "0.016928", "0.016928"),
        daily="132.25806451",
        spread=2,
        growth=5,
    ),
    Sku(
        service="Storage Accounts",
        category="Storage",
        type_name="Storage account",
        type_id="microsoft.storage/storageaccounts",
        name="st",
        meter=("Storage", "Tiered Block Blob", "Hot Read Operations"),
        family="Storage",
        unit="10K",
        consumed_unit="Units",
        prices_usd=("0.004400", "0.004048", "0.004048"),
        daily="3.14590000",
        block=10_000,
        spread=60,
    ),
    Sku(
        service="Azure Functions",
        category="Compute",
        type_name="Function app",
        type_id="microsoft.web/sites",
        name="func",
        meter=("Functions", "", "Standard Execution Time"),
        family="Compute",
        unit="GB Seconds",
        consumed_unit="GB Seconds",
        prices_usd=("0.000016", "0.000016", "0.000016"),
        daily="81920.12500000",
        spread=50,
        growth=4,
    ),
    Sku(
        service="Bandwidth",
        category="Networking",
        type_name="Public IP address",
        type_id="microsoft.network/publicipaddresses",
        name="pip",
        meter=("Bandwidth", "Rtn Preference: MGN", "Standard Data Transfer Out"),
        family="Networking",
        unit="GB",
        consumed_unit="GB",
        prices_usd=("0.087000", "0.087000", "0.087000"),
        daily="41.87654321",
        spread=40,
        moves={9: 240},
    ),
    Sku(
        service="Azure Monitor",
        category="Management and Governance",
        type_name="Log Analytics workspace",
        type_id="microsoft.operationalinsights/workspaces",
        name="log",
        meter=("Log Analytics", "", "Analytics Logs Data Ingestion"),
        family="Management and Governance",
        unit="GB",
        consumed_unit="GB",
        prices_usd=("2.760000", "2.539200", "2.539200"),
        daily="3.70370370",
        spread=30,
    ),
    Sku(
        service="Azure OpenAI Service",
        category="AI and Machine Learning",
        type_name="Azure OpenAI",
        type_id="microsoft.cognitiveservices/accounts",
        name="oai",
        meter=("Cognitive Services", "Azure OpenAI", "gpt 4o Inp glbl Tokens"),
        family="AI + Machine Learning",
        unit="1K",
        consumed_unit="Units",
        prices_usd=("0.002500", "0.002500", "0.002500"),
        daily="2400.51200000",
        block=1000,
        spread=45,
        growth=8,
        moves={1: 20, 8: 60, 9: 100, 10: 260, 11: 280, 12: 300},
    ),
    Sku(
        service="Confluent Cloud",
        category="Integration",
        type_name="SaaS",
        type_id="microsoft.saas/resources",
        name="confluent",
        meter=("SaaS", "Confluent Cloud - Pay as you Go", "Confluent Consumption Unit"),
        family="Integration",
        unit="1",
        consumed_unit="1",
        prices_usd=("0.010000", "0.010000", "0.010000"),
        daily="317.42000000",
        regional=False,
        publisher="Confluent",
    ),
    Sku(
        service="Microsoft Defender for Cloud",
        category="Security",
        type_name="",
        type_id="microsoft.security/pricings",
        name="",
        meter=(
            "Microsoft Defender for Cloud",
            "Microsoft Defender for Servers",
            "Standard P2 Node",
        ),
        family="Security",
        unit="Hours",
        consumed_unit="Hours",
        prices_usd=("0.020000", "0.018400", "0.018400"),
        daily="288",
        spread=0,
        regional=False,
    ),
)
"""Resource number r uses meter r modulo their count."""

SUBSCRIPTIONS: tuple[Subscription, ...] = (
    Subscription(
        name="Mühle Produktion", section="Betrieb", cost_center="4100", environment="prod"
    ),
    Subscription(name="Webshop", section="Vertrieb", cost_center="2200", environment="prod"),
    Subscription(name="Data Platform", section="IT", cost_center="3010", environment="test"),
    Subscription(name="Spielwiese", section="IT", cost_center="3090", environment="dev"),
)

REGIONS: tuple[tuple[str, str, str], ...] = (
    ("westeurope", "West Europe", "EU West"),
    ("germanywestcentral", "Germany West Central", "DE West Central"),
    ("swedencentral", "Sweden Central", "SE Central"),
    ("eastus", "East US", "US East"),
)
"""Id, name and the name that meters use."""


def _text(tags: Mapping[str, str]) -> str:
    return json.dumps(tags, ensure_ascii=False, separators=(",", ":"))


TAGS: tuple[str, ...] = (
    _text({"team": "platform", "env": "prod", "cost-center": "4100"}),
    _text({"cost-center": "4100", "env": "prod", "team": "platform"}),  # the same in another order
    _text({"team": "web shop", "env": "prod", "owner": "Zoë O'Brien"}),
    _text({"team": 'Projekt "Süd"', "note": "erste Zeile\nzweite Zeile\tmit Tab"}),
    _text({"team": "データ", "env": "test", "pfad": "C:\\daten\\roh"}),
    _text({"Team": "platform", "team ": "", "env": "dev"}),
    "",
    _text({"env": "dev", "expires": "2026-01-31", "emoji": "🚜"}),
)
"""Texts of tags: JSON with difficult values, and an empty text."""
