"""Puts together the commands for a job of Cloud Run, as a script for bash."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from scripts.cloud_run_alerts import policies

from cloudbill.sql import BIGQUERY, bigquery_text

__all__ = ["BUCKET_ROLES", "DATASET_ROLE", "PROJECT_ROLE", "Deployment", "Source", "script"]

PROJECT_ROLE: Final = "roles/bigquery.jobUser"
DATASET_ROLE: Final = "roles/bigquery.dataEditor"
BUCKET_ROLES: Final = ("roles/storage.objectViewer", "roles/storage.legacyBucketReader")
SERVICES: Final = (
    *("artifactregistry", "bigquery", "cloudbuild", "cloudscheduler", "iam", "logging"),
    *("monitoring", "run", "secretmanager", "storage"),
)
WIDTH: Final = 96
MEMORY: Final = "4Gi"
"""The most that a job with one CPU may have."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as the job has it: its variables, and what its account must be let to.

    `bucket` is None where the exports are in another cloud.
    """

    variables: Mapping[str, str]
    bucket: str | None
    project: str
    dataset: str
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the job is made of; `secrets` is a file, and schedules are as in cron."""

    project: str
    region: str
    name: str
    sources: Sequence[Source]
    secrets: Path | None
    clone: Path
    builder: str
    schedule: str
    check_schedule: str
    time_zone: str
    max_age: str
    email: str | None


def script(deployment: Deployment) -> str:
    """The commands, each step with a comment that says what it is for."""
    steps = (
        head(deployment),
        services(),
        image(deployment),
        account(deployment),
        secrets(deployment.secrets),
        jobs(deployment),
        schedules(deployment),
        alerts(deployment),
        first_run(),
        removal(deployment),
    )
    return "\n\n".join("\n".join(lines) for lines in steps) + "\n"


def comment(*sentences: str) -> Iterator[str]:
    """Sentences as lines of comment."""
    return (f"# {line}" for line in textwrap.wrap(" ".join(sentences), WIDTH - 2))


def command(*words: str) -> str:
    """A command whose words are quoted already, over as many lines as it needs."""
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > WIDTH:
            lines.append(line)
            line = "  "
        line = f"{line} {word}" if line.strip() else f"{line}{word}"
    return " \\\n".join([*lines, line])


def unless_there(look: Sequence[str], create: Sequence[str]) -> str:
    """A command that creates something that another one does not find."""
    return f"{command('exists', *look)} ||\n  {command(*create)}"


def head(deployment: Deployment) -> Iterator[str]:
    """The names that all commands share."""
    quoted = shlex.quote
    yield "#!/usr/bin/env bash"
    yield from comment(
        "Runs cloudbill as a job of Cloud Run. Read it, then run it with bash, signed in by",
        "`gcloud auth login` as an owner of the project. What is there already stays, so it may",
        "run again. The bucket and the dataset must be there: docs/bigquery.md, steps 1 to 4.",
    )
    yield "set -euo pipefail"
    yield ""
    yield f"PROJECT={quoted(deployment.project)}"
    yield f"REGION={quoted(deployment.region)}"
    yield f"JOB={quoted(deployment.name)}"
    yield f"CLONE={quoted(str(deployment.clone))}"
    yield 'CHECK="$JOB-check"'
    if deployment.secrets is not None:
        yield 'SECRET="$JOB-secrets"'
    yield 'REPOSITORY="$REGION-docker.pkg.dev/$PROJECT/$JOB"'
    yield from comment("A tag for each build, so that you can go back to an older one.")
    yield 'IMAGE="$REPOSITORY/cloudbill:$(date -u +%Y%m%d-%H%M%S)"'
    yield 'ACCOUNT="$JOB@$PROJECT.iam.gserviceaccount.com"'
    yield "WORK=$(mktemp -d)"
    yield "trap 'rm -rf \"$WORK\"' EXIT"
    yield 'exists() { "$@" >"$WORK/found" 2>&1; }'


def services() -> Iterator[str]:
    """The interfaces of Google Cloud that the other steps use."""
    yield from comment("1. Switch on what the other steps use. It costs nothing by itself.")
    names = (f"{name}.googleapis.com" for name in SERVICES)
    yield command("gcloud services enable", *names, '--project "$PROJECT"')


def image(deployment: Deployment) -> Iterator[str]:
    """The repository of images, and the image."""
    yield from comment("2. A repository for the image.")
    where = ('"$JOB"', '--location "$REGION"', '--project "$PROJECT"')
    yield unless_there(
        ("gcloud artifacts repositories describe", *where),
        ("gcloud artifacts repositories create", *where, "--repository-format docker"),
    )
    yield ""
    if deployment.builder == "docker":
        yield from comment(
            "3. Build the image here, from what .dockerignore lets in: no secret and no bill."
        )
        yield 'gcloud auth configure-docker "$REGION-docker.pkg.dev" --quiet'
        yield 'docker build --platform linux/amd64 --tag "$IMAGE" "$CLONE"'
        yield 'docker push "$IMAGE"'
        return
    yield from comment(
        "3. Build the image with Cloud Build, from what .gcloudignore lets in: no secret and no",
        "bill. With `--build-with docker` it is built here.",
    )
    yield command(
        'gcloud builds submit "$CLONE"', '--tag "$IMAGE"', '--project "$PROJECT"', "--timeout 30m"
    )


def account(deployment: Deployment) -> Iterator[str]:
    """The account of the job and its roles."""
    yield from comment(
        "4. The account that the job runs as. It needs no key. It may run queries, write the",
        "dataset and read the bucket, and nothing else: docs/bigquery.md says what for.",
    )
    yield unless_there(
        ('gcloud iam service-accounts describe "$ACCOUNT"', '--project "$PROJECT"'),
        (
            'gcloud iam service-accounts create "$JOB"',
            *('--project "$PROJECT"', '--display-name "Loads the billing exports"'),
        ),
    )
    yield from roles(deployment, is_given=True)


def roles(deployment: Deployment, *, is_given: bool) -> Iterator[str]:
    """The commands that give the account its roles, or take them away."""
    sources = deployment.sources
    change = f"{'add' if is_given else 'remove'}-iam-policy-binding"
    member = '--member "serviceAccount:$ACCOUNT"'
    for project in unique(source.project for source in sources):
        yield command(
            f"gcloud projects {change} {shlex.quote(project)}",
            *(member, f"--role {PROJECT_ROLE}", "--condition None"),
        )
    for project, dataset, location in unique(
        (source.project, source.dataset, source.location) for source in sources
    ):
        placed = () if location is None else (f"--location={shlex.quote(location)}",)
        statement = role_on(deployment, project, dataset, is_given=is_given)
        yield command(
            f"bq --project_id={shlex.quote(project)}",
            *(*placed, "query --use_legacy_sql=false", statement),
        )
    for bucket in unique(source.bucket for source in sources):
        for role in BUCKET_ROLES if bucket is not None else ():
            yield command(
                f"gcloud storage buckets {change} {shlex.quote(f'gs://{bucket}')}",
                *(member, f"--role {role}"),
            )


def role_on(deployment: Deployment, project: str, dataset: str, *, is_given: bool) -> str:
    """A statement that lets the account write a dataset, or no longer, as a word of bash."""
    member = f"serviceAccount:{deployment.name}@{deployment.project}.iam.gserviceaccount.com"
    statement = BIGQUERY.compose(
        "GRANT {role} ON SCHEMA {dataset} TO {member}"
        if is_given
        else "REVOKE {role} ON SCHEMA {dataset} FROM {member}",
        role=DATASET_ROLE,
        dataset=(project, dataset),
        member=bigquery_text(member),
    )
    return shlex.quote(str(statement))


def secrets(file: Path | None) -> Iterator[str]:
    """The secret that holds `.dlt/secrets.toml`."""
    if file is None:
        yield from comment(
            "5. There is no .dlt/secrets.toml, so there is nothing to keep secret: the account",
            "signs in to the bucket and to BigQuery by itself. Where you write one, such as for a",
            "bucket of another cloud, print this script again.",
        )
        return
    yield from comment(
        "5. .dlt/secrets.toml as a secret, which the account of the job alone may read. The job",
        "gets it as a file, never as a variable, and takes the newest version when it starts.",
    )
    yield unless_there(
        ('gcloud secrets describe "$SECRET"', '--project "$PROJECT"'),
        (
            'gcloud secrets create "$SECRET"',
            *('--project "$PROJECT"', "--replication-policy automatic"),
        ),
    )
    yield command(
        'gcloud secrets versions add "$SECRET"',
        *('--project "$PROJECT"', f"--data-file {shlex.quote(str(file))}"),
    )
    yield command(
        'gcloud secrets add-iam-policy-binding "$SECRET"',
        *('--project "$PROJECT"', '--member "serviceAccount:$ACCOUNT"'),
        "--role roles/secretmanager.secretAccessor",
    )


def jobs(deployment: Deployment) -> Iterator[str]:
    """The job that loads, and the one that notices that nothing came."""
    yield from comment(
        "6. Two jobs: one loads, the other one notices what a load cannot, such as an export that",
        "has stopped. Neither is tried again at once: the next run does that, and a held run needs",
        "a person. Memory is also their disk: where parts are not loaded from the bucket as they",
        "are, such as those in S3, their files are in it, and DuckDB takes up to `memory_limit` (1",
        "GB) for each month that it rewrites. Their configuration, from .dlt/config.toml:",
    )
    variables = [
        *unique(pair for source in deployment.sources for pair in source.variables.items())
    ]
    yield from here_document(
        "variables.yaml", (f"{name}: {json.dumps(value)}" for name, value in variables)
    )
    mounted = ('--set-secrets "/bills/.dlt/secrets.toml=$SECRET:latest"',)
    for job, words in (
        ("JOB", "load,--log-format,json"),
        ("CHECK", f"status,--check,--max-age,{deployment.max_age}"),
    ):
        yield command(
            f'gcloud run jobs deploy "${job}"',
            *('--project "$PROJECT"', '--region "$REGION"', '--image "$IMAGE"'),
            *('--service-account "$ACCOUNT"', '--env-vars-file "$WORK/variables.yaml"'),
            *(mounted if deployment.secrets is not None else ()),
            *(f"--args {shlex.quote(words)}", "--tasks 1", "--max-retries 0"),
            *("--task-timeout 3600s", "--cpu 1", f"--memory {MEMORY}"),
        )


def schedules(deployment: Deployment) -> Iterator[str]:
    """What starts both jobs every day."""
    yield from comment(
        "7. Cloud Scheduler starts both jobs every day. Their own account may do that.",
    )
    yield f"TIME_ZONE={shlex.quote(deployment.time_zone)}"
    for job, times in (("JOB", deployment.schedule), ("CHECK", deployment.check_schedule)):
        yield command(
            f'gcloud run jobs add-iam-policy-binding "${job}"',
            *('--project "$PROJECT"', '--region "$REGION"'),
            *('--member "serviceAccount:$ACCOUNT"', "--role roles/run.invoker"),
        )
        yield "VERB=create"
        yield command(
            f'exists gcloud scheduler jobs describe "${job}"',
            *('--project "$PROJECT"', '--location "$REGION"', "&& VERB=update"),
        )
        yield command(
            f'gcloud scheduler jobs "$VERB" http "${job}"',
            *('--project "$PROJECT"', '--location "$REGION"'),
            *(f"--schedule {shlex.quote(times)}", '--time-zone "$TIME_ZONE"', "--http-method POST"),
            "--uri "
            f'"https://run.googleapis.com/v2/projects/$PROJECT/locations/$REGION/jobs/${job}:run"',
            '--oauth-service-account-email "$ACCOUNT"',
        )


def alerts(deployment: Deployment) -> Iterator[str]:
    """A mail for every run that a person should look at."""
    if deployment.email is None:
        yield from comment(
            "8. Nobody is told of a run that fails. With `--email ADDRESS` this step makes alerts."
        )
        return
    yield from comment(
        "8. A mail where a job fails, a run is held (it fails as well, with exit code 6), or the",
        "schedule cannot start a job.",
    )
    yield f"EMAIL={shlex.quote(deployment.email)}"
    name = '"$JOB: $EMAIL"'
    yield command(
        "CHANNEL=$(gcloud beta monitoring channels list",
        *('--project "$PROJECT"', '--filter "displayName=\\"$JOB: $EMAIL\\""'),
        "--format 'value(name)')",
    )
    yield 'if [ -z "$CHANNEL" ]; then'
    made = command(
        "CHANNEL=$(gcloud beta monitoring channels create",
        *('--project "$PROJECT"', f"--display-name {name}", "--type email"),
        '--channel-labels "email_address=$EMAIL"',
        "--format 'value(name)')",
    )
    yield textwrap.indent(made, "  ")
    yield "fi"
    for file, policy in policies(deployment.name).items():
        yield from here_document(file, json.dumps(policy, indent=2).splitlines())
        shown = shlex.quote(f"displayName={json.dumps(policy['displayName'])}")
        yield command(
            "FOUND=$(gcloud monitoring policies list",
            *('--project "$PROJECT"', f"--filter {shown}", "--format 'value(name)')"),
        )
        create = command(
            "gcloud monitoring policies create",
            *('--project "$PROJECT"', f'--policy-from-file "$WORK/{file}"'),
            '--notification-channels "$CHANNEL"',
        )
        yield f'[ -n "$FOUND" ] ||\n  {create}'


def first_run() -> Iterator[str]:
    """The first load, whose exit code the script has."""
    yield from comment(
        "9. Load now, and wait for the end. A run that is held fails as well: see its log."
    )
    yield command(
        'gcloud run jobs execute "$JOB"', *('--project "$PROJECT"', '--region "$REGION"'), "--wait"
    )


def removal(deployment: Deployment) -> Iterator[str]:
    """What takes everything away again, as comments."""
    yield from comment(
        "To take all of it away again, run these lines with the names of above. The bucket, the",
        "dataset and its bills stay.",
    )
    project, region = '--project "$PROJECT"', '--region "$REGION"'
    for job in ("JOB", "CHECK"):
        yield f'# gcloud scheduler jobs delete "${job}" {project} --location "$REGION"'
        yield f'# gcloud run jobs delete "${job}" {project} {region}'
    if deployment.secrets is not None:
        yield f'# gcloud secrets delete "$SECRET" {project}'
    if deployment.email is not None:
        for kind in ("monitoring policies", "beta monitoring channels"):
            yield f"# gcloud {kind} list {project} --format 'value(name,displayName)'"
            yield f"# gcloud {kind} delete NAME {project}    # for each that begins with $JOB"
    yield f'# gcloud artifacts repositories delete "$JOB" {project} --location "$REGION"'
    for line in roles(deployment, is_given=False):
        yield textwrap.indent(line, "# ")
    yield f'# gcloud iam service-accounts delete "$ACCOUNT" {project}'


def here_document(file: str, lines: Iterable[str]) -> Iterator[str]:
    """Writes lines into a file of the work folder; the shell reads none of them.

    A line of JSON, or one that begins with a name, never is the line that ends it.
    """
    yield f"cat >\"$WORK/{file}\" <<'END'"
    yield from lines
    yield "END"


def unique(items: Iterable[_Item]) -> Iterator[_Item]:
    """Each item once, in their order."""
    yield from dict.fromkeys(items)
