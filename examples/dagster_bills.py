"""An asset for Dagster: loads what is new every morning, and shows what was loaded.

Exit code 6 says that a run is held: nothing failed, and the log says so.
"""

import json
import subprocess

import dagster as dg

FOLDER = "/srv/bills"  # with .dlt/config.toml
HELD = 6


@dg.asset
def bills(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The months of the bill, each from its newest complete run."""
    done = subprocess.run(
        ["cloudbill", "load", "--json"], cwd=FOLDER, stdout=subprocess.PIPE, check=False
    )
    document = json.loads(done.stdout)
    if done.returncode == HELD:
        context.log.warning("A run is held: look at it with `cloudbill status`")
    elif done.returncode != 0:
        raise dg.Failure(
            f"cloudbill ended with {done.returncode}",
            metadata={"failures": dg.MetadataValue.json(document["failures"])},
        )
    return dg.MaterializeResult(
        metadata={
            "months": sorted({load["period"] for load in document["loads"]}),
            "rows": sum(load["rows"] for load in document["loads"]),
        }
    )


defs = dg.Definitions(
    assets=[bills],
    schedules=[
        dg.ScheduleDefinition(
            name="every_morning", target=dg.AssetSelection.assets(bills), cron_schedule="15 6 * * *"
        )
    ],
)
