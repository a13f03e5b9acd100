"""The resources of the company in the AWS sample: services with rates, accounts, regions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

__all__ = ["ACCOUNTS", "PLAN_SLOT", "REGIONS", "SERVICES", "Service", "UPFRONT"]

ACCOUNTS: tuple[tuple[str, str, str], ...] = (
    # The leading zero disappears if a program takes an account id for a number.
    ("012345678901", "Platform", "prod"),
    ("210987654321", "Shop", "prod"),
    ("345600000017", "Research", "dev"),
)
"""Account id, department and environment; the first one pays."""

REGIONS: tuple[tuple[str, str, str], ...] = (
    ("eu-central-1", "EU (Frankfurt)", "EUC1"),
    ("eu-west-1", "EU (Ireland)", "EU"),
    ("us-east-1", "US East (N. Virginia)", "USE1"),
)
"""Region code, location, and the prefix of its usage types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A usage type and how much of it a resource uses."""

    code: str
    name: str
    usage: str
    """The usage type without the region."""
    operation: str
    unit: str
    rates: tuple[str, str, str]
    """Public, unblended and effective rate in USD, at most 10 fraction digits."""
    hourly: str
    """Units of one resource in one hour in January 2025."""
    resource: str
    """The beginning of resource ids; empty if lines have none."""
    description: str
    """Line item description."""
    growth: int = 2
    """Percent of growth from month to month."""
    spread: int = 40
    """The variation of an hour in percent; 0 for use around the clock."""
    line_type: Literal["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"] = "Usage"
    """How the line is paid."""
    product: Mapping[str, str] = field(default_factory=dict)
    """More of the product columns."""

    @property
    def rate_list(self) -> tuple[Decimal, Decimal, Decimal]:
        """Public, unblended and effective rate in USD."""
        public, unblended, effective = self.rates
        return Decimal(public), Decimal(unblended), Decimal(effective)


def _machine(
    size: str,
    rates: tuple[str, str, str],
    line_type: Literal["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"],
    ecu: tuple[str, str],
    *,
    hourly: str = "1",
    spread: int = 0,
) -> Service:
    return Service(
        code="AmazonEC2",
        name="Amazon Elastic Compute Cloud",
        usage=f"BoxUsage:{size}",
        operation="RunInstances",
        unit="Hrs",
        rates=rates,
        hourly=hourly,
        resource="i-0",
        description=f"${rates[0]} per On Demand Linux {size} Instance Hour",
        growth=0,
        spread=spread,
        line_type=line_type,
        product={
            "ecu": ecu[0],
            "ECU": ecu[1],
            "capacitystatus": "Used",
            "clockSpeed": "3.5 GHz",
            "currentGeneration": "Yes",
            "instanceFamily": "General purpose",
            "instanceType": size,
            "instanceTypeFamily": size.split(".", maxsplit=1)[0],
            "marketoption": "OnDemand",
            "memory": "8 GiB",
            "networkPerformance": "Up to 12.5 Gigabit",
            "normalizationSizeFactor": "4",
            "operatingSystem": "Linux",
            "preInstalledSw": "NA",
            "processorArchitecture": "64-bit",
            "productFamily": "Compute Instance",
            "tenancy": "Shared",
            "vcpu": "2",
        },
    )


SERVICES: tuple[Service, ...] = (
    _machine("m6i.large", ("0.1150000000", "0.1150000000", "0.1150000000"), "Usage", ("NA", "")),
    _machine(
        "m6i.large",
        ("0.1150000000", "0.1150000000", "0.0724500000"),
        "DiscountedUsage",
        ("16", "Variable"),
    ),
    _machine(
        "c6i.xlarge",
        ("0.1940000000", "0.1940000000", "0.1396800000"),
        "SavingsPlanCoveredUsage",
        ("Variable", "26"),
        # It does not run all the time, so that part of the commitment stays unused.
        hourly="0.9",
        spread=10,
    ),
    Service(
        code="AmazonEC2",
        name="Amazon Elastic Compute Cloud",
        usage="EBS:VolumeUsage.gp3",
        operation="CreateVolume-Gp3",
        unit="GB-Mo",
        rates=("0.0952000000", "0.0952000000", "0.0952000000"),
        hourly="0.26881720",
        resource="vol-0",
        description="$0.0952 per GB-month of General Purpose (gp3) provisioned storage",
        product={"productFamily": "Storage", "volumeApiName": "gp3", "storageMedia": "SSD-backed"},
    ),
    Service(
        code="AmazonS3",
        name="Amazon Simple Storage Service",
        usage="TimedStorage-ByteHrs",
        operation="StandardStorage",
        unit="GB-Mo",
        rates=("0.0245000000", "0.0245000000", "0.0245000000"),
        hourly="1.13978494",
        resource="bucket",
        description="$0.0245 per GB - first 50 TB / month of storage used",
        growth=6,
        product={"durability": "99.999999999%", "volumeType": "Standard"},
    ),
    Service(
        code="AmazonS3",
        name="Amazon Simple Storage Service",
        usage="Requests-Tier2",
        operation="GetObject",
        unit="Requests",
        rates=("0.0000004300", "0.0000004300", "0.0000004300"),
        hourly="37",
        resource="bucket",
        description="$0.0043 per 10,000 GET and all other requests",
        spread=60,
        product={"group": "S3-API-Tier2", "productFamily": "API Request"},
    ),
    Service(
        code="AWSDataTransfer",
        name="AWS Data Transfer",
        usage="DataTransfer-Out-Bytes",
        operation="RunInstances",
        unit="GB",
        rates=("0.0900000000", "0.0900000000", "0.0900000000"),
        hourly="0.00057681",
        resource="i-0",
        description='$0.090 per GB - "first 10 TB" / month data transfer out',
        growth=9,
        spread=60,
        product={"transferType": "AWS Outbound", "toLocation": "External"},
    ),
    Service(
        code="AWSLambda",
        name="AWS Lambda",
        usage="Lambda-GB-Second",
        operation="Invoke",
        unit="Lambda-GB-Second",
        rates=("0.0000166667", "0.0000166667", "0.0000166667"),
        hourly="412.50000000",
        resource="arn:aws:lambda:function:etl",
        description="AWS Lambda - Total Compute",
        growth=5,
        product={"group": "AWS-Lambda-Duration", "productFamily": "Serverless"},
    ),
    Service(
        code="AmazonRDS",
        name="Amazon Relational Database Service",
        usage="InstanceUsage:db.r6g.large",
        operation="CreateDBInstance:0014",
        unit="Hrs",
        rates=("0.2700000000", "0.2565000000", "0.2565000000"),
        hourly="1",
        resource="arn:aws:rds:db:orders",
        description="RDS db.r6g.large Single-AZ instance hour running PostgreSQL",
        spread=0,
        growth=0,
        product={"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ", "ecu": "NA"},
    ),
    Service(
        code="AmazonCloudWatch",
        name="AmazonCloudWatch",
        usage="CW:Requests",
        operation="GetMetricData",
        unit="Metrics",
        rates=("0.0000100000", "0.0000100000", "0.0000100000"),
        hourly="3",
        resource="",
        description="$0.01 per 1,000 metrics requested using GetMetricData API",
        spread=60,
    ),
    Service(
        code="AmazonVPC",
        name="Amazon Virtual Private Cloud",
        usage="NatGateway-Hours",
        operation="NatGateway",
        unit="Hrs",
        rates=("0.0520000000", "0.0520000000", "0.0520000000"),
        hourly="1",
        resource="nat-0",
        description="$0.052 per NAT Gateway Hour",
        spread=0,
        growth=0,
    ),
)
"""Resource number r uses service r modulo their count."""

UPFRONT = Decimal("0.4")
"""The part of the reservation's cost that was paid up front."""

PLAN_SLOT = next(
    slot for slot, service in enumerate(SERVICES) if service.line_type == "SavingsPlanCoveredUsage"
)
"""The service that the savings plan covers."""
