"""An asset for Dagster: loads what is new every morning, and shows what was loaded.

A load that fails is tried again, but not where that is of no use: with exit code 2 the
configuration is wrong, and with 6 a run is held until a person decides. The check belongs to the
asset itself, for Dagster skips any other check of an asset that fails, and a run that is held must
not hide an export that has stopped. No secret is in here: cloudbill reads them from
`.dlt/secrets.toml` of the folder, or from the environment of the code location.
"""

import json
import subprocess
from collections.abc import Iterator

import dagster as dg

FOLDER = "/srv/bills"  # with .dlt/config.toml
MISCONFIGURED, HELD = 2, 6


@dg.asset(
    retry_policy=dg.RetryPolicy(max_retries=2, delay=900),
    check_specs=[dg.AssetCheckSpec("fresh", asset="bills")],
)
def bills(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """The months of the bill, each from its newest complete run."""
    done = subprocess.run(
        ["cloudbill", "load", "--json"], cwd=FOLDER, stdout=subprocess.PIPE, check=False
    )
    yield fresh()
    if done.returncode == HELD:
        context.log.warning("A run is held: look at it with `cloudbill status`")
    if done.returncode != 0:
        raise dg.Failure(
            f"cloudbill ended with {done.returncode}",
            metadata={"document": dg.MetadataValue.text(done.stdout.decode())},
            allow_retries=done.returncode not in {MISCONFIGURED, HELD},
        )
    document = json.loads(done.stdout)
    yield dg.MaterializeResult(
        metadata={
            "months": sorted({load["period"] for load in document["loads"]}),
            "rows": sum(load["rows"] for load in document["loads"]),
        }
    )


def fresh() -> dg.AssetCheckResult:
    """Whether deliveries still arrive, and nothing else needs a person."""
    done = subprocess.run(
        ["cloudbill", "status", "--check", "--max-age", "36h"],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        check=False,
    )
    return dg.AssetCheckResult(
        check_name="fresh",
        passed=done.returncode == 0,
        metadata={
            "exit_code": done.returncode,
            "status": dg.MetadataValue.text(done.stdout.decode()),
        },
    )


defs = dg.Definitions(
    assets=[bills],
    schedules=[
        dg.ScheduleDefinition(
            name="every_morning", target=dg.AssetSelection.assets(bills), cron_schedule="15 6 * * *"
        )
    ],
)
