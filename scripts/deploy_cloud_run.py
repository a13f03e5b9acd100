"""Prints the commands that run cloudbill as a job of Cloud Run, every day, with alerts.

    uv run python -m scripts.deploy_cloud_run PROJECT REGION BUCKET > cloud-run.sh
    bash cloud-run.sh        # once you have read it

It changes nothing itself and asks nothing of a cloud. What the job is configured with comes from
`.dlt/config.toml`, by `cloudbill config show`; a source whose bucket is a folder of this machine
looks into BUCKET instead. `.dlt/secrets.toml` becomes a secret of Secret Manager: no value of it is
printed. The script that is printed may run again, after a change or an error.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.cloud_run_script import Deployment, Source, script

from cloudbill.errors import ConfigError
from cloudbill.settings.origins import HIDDEN, Origin, ShownKey
from cloudbill.store.address import parse_address

__all__ = ["main", "read_source"]

# Keys for a file on this machine's disk, which a job does not have.
OF_A_DISK: Final = frozenset({"database", "lock_timeout_s", "storage_version"})
NEEDED: Final = frozenset({"bucket", "dataset", "location", "project_id"})
# Addresses of people, and of services that let everybody write who knows the address.
OF_PEOPLE: Final = re.compile(r"notify")
IN_SECRETS: Final = "secrets.toml"


def main(words: Sequence[str] | None = None) -> int:
    """Prints or writes the script; gives 2, after the reason, if the configuration does not fit."""
    given = arguments().parse_args(words)
    secrets = given.folder.resolve() / ".dlt" / IN_SECRETS
    try:
        sources = [
            read_source(source, keys, project=given.project, bucket=given.bucket)
            for source, keys in shown(given.folder).items()
        ]
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    deployment = Deployment(
        project=given.project,
        region=given.region,
        name=given.name,
        sources=sources,
        secrets=secrets if has_values(secrets) else None,
        clone=Path(__file__).resolve().parents[1],
        builder=given.build_with,
        schedule=given.schedule,
        check_schedule=given.check_schedule,
        time_zone=given.time_zone,
        max_age=given.max_age,
        email=given.email,
    )
    text = script(deployment)
    if given.output is None:
        print(text, end="")
        return 0
    try:
        given.output.write_text(text, encoding="utf-8")
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def arguments() -> argparse.ArgumentParser:
    """The words of the command."""
    parser = argparse.ArgumentParser(
        prog="just deploy-cloud-run", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("project", help="the project that the job runs in")
    parser.add_argument("region", help="where the job runs, such as europe-west1")
    parser.add_argument("bucket", help="the bucket that the exports are in")
    parser.add_argument("--folder", type=Path, default=Path(), help="the folder that has .dlt")
    parser.add_argument(
        "--output", type=Path, help="the file for the script, which is only written if all is well"
    )
    parser.add_argument("--email", help="who is told of failures and of held runs")
    parser.add_argument("--build-with", choices=("gcloud", "docker"), default="gcloud")
    parser.add_argument("--name", default="cloudbill", help="of the job and its account")
    parser.add_argument("--schedule", default="15 6 * * *", help="of the load, as in cron")
    parser.add_argument("--check-schedule", default="15 8 * * *", help="of `status --check`")
    parser.add_argument("--time-zone", default="Etc/UTC", help="of both schedules")
    parser.add_argument("--max-age", default="36h", help="as in `status --max-age`")
    return parser


def shown(folder: Path) -> Mapping[str, Sequence[ShownKey]]:
    """The keys of each source of a folder, as `cloudbill config show --json` prints them.

    Raises:
        ConfigError: If there is a mistake in the configuration.
    """
    command = [sys.executable, "-m", "cloudbill", "config", "show", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(done.stderr.strip() or "`cloudbill config show` says what is wrong")
    return {
        source["source"]: [
            ShownKey(
                name=key["key"],
                value=key["value"],
                origin=Origin(key["from"]),
                where=key["where"] or "",
            )
            for key in source["keys"]
        ]
        for source in json.loads(done.stdout)["sources"]
    }


def has_values(secrets: Path) -> bool:
    """Whether dlt finds anything in a file of secrets."""
    return secrets.is_file() and bool(tomllib.loads(secrets.read_text(encoding="utf-8")))


def read_source(source: str, keys: Iterable[ShownKey], *, project: str, bucket: str) -> Source:
    """A source as the job is to have it.

    Raises:
        ConfigError: If a value cannot be a variable of the job.
    """
    if source != source.lower():
        raise ConfigError(
            f"'{source}' has capital letters, which the name of a variable cannot tell. Write it "
            "in lower case, and run `cloudbill state rebuild`"
        )
    values: dict[str, str] = {}
    for key in keys:
        if key.value is None or key.name.startswith("credentials.") or key.name in OF_A_DISK:
            continue
        require_printable(source, key)
        is_said = key.origin is not Origin.DEFAULT or key.name == "dataset"
        if is_said and IN_SECRETS not in key.where:
            values[key.name] = key.value
    if parse_address(values["bucket"]).scheme == "file":
        values["bucket"] = bucket
    values.setdefault("project_id", project)
    address = parse_address(values["bucket"])
    prefix = f"SOURCES__{source.replace('.', '__')}__"
    return Source(
        variables={f"{prefix}{name}".upper(): value for name, value in values.items()},
        bucket=address.place if address.scheme == "gs" else None,
        project=values["project_id"],
        dataset=values["dataset"],
        location=values.get("location"),
    )


def require_printable(source: str, key: ShownKey) -> None:
    """Lets only what everybody may see become a variable of the job.

    Raises:
        ConfigError: If the value is a secret, or should be one.
    """
    name = f"'{key.name}' of [sources.{source}]"
    move = f"Move it into .dlt/{IN_SECRETS}, which becomes a secret of Secret Manager"
    if IN_SECRETS in key.where:
        if key.name in NEEDED:
            raise ConfigError(
                f"{name} is in .dlt/{IN_SECRETS}, but the commands need it, and print no secret. "
                "Move it into .dlt/config.toml"
            )
    elif OF_PEOPLE.match(key.name) and key.origin is not Origin.DEFAULT:
        raise ConfigError(f"{name} would be seen by everybody who may see the job. {move}")
    elif HIDDEN in (key.value or ""):
        raise ConfigError(f"{name} has a password or a token in it. {move}")


if __name__ == "__main__":
    sys.exit(main())
