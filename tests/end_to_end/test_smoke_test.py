"""The smoke test of BigQuery, run against the emulators: each line, the JSON, and what is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.cli.each_source import attempt
from cloudbill.doctor import smoke_loads
from cloudbill.doctor.smoke import POINTS, SmokeTest
from cloudbill.doctor.smoke_place import choose_place, remove_dataset
from cloudbill.doctor.smoke_point import Finding, Point, Seen, Verdict
from cloudbill.errors import ConfigError
from cloudbill.loading.stopping import Stop
from cloudbill.report.collecting import months_reported
from documents import require_fit
from end_to_end.conftest import run_apart
from end_to_end.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudbill.doctor.smoke_place import Place
    from cloudbill.doctor.smoke_trial import Trial
    from emulators.bigquery import BigQueryEmulator
    from emulators.fixtures import Cloud
    from emulators.gcs import GcsEmulator
    from end_to_end.conftest import Run

BUCKET, FAR = "acme-smoke", "acme-far"
WORDS = ("smoke-test", "--project", "acme", "--bucket", BUCKET)
OTHERS = "cloudbill-smoke-of-others/bill.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A whole run, what it wrote, and what was there afterwards."""

    run: subprocess.CompletedProcess[str]
    text: str
    datasets: list[str]
    objects: list[str]
    jobs: list[dict[str, Any]]
    files_of_user: list[str]

    @property
    def document(self) -> dict[str, Any]:
        """The JSON."""
        found: dict[str, Any] = require_fit("smoke-test", self.text)
        return found

    def seen(self, number: int) -> dict[str, bool | None]:
        """What was seen of a point, and whether it was expected."""
        (point,) = (one for one in self.document["points"] if one["number"] == number)
        return {one["text"]: one["is_expected"] for one in point["seen"]}


@pytest.fixture(scope="module")
def done(
    gcs_server: GcsEmulator,
    bigquery_server: BigQueryEmulator,
    gcs_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Done:
    """One run of every point, which many tests look at."""
    gcs_server.reset()
    bigquery_server.reset()
    make_buckets(gcs_server)
    folder = tmp_path_factory.mktemp("smoke")
    env = {"STORAGE_EMULATOR_HOST": gcs_server.url, "BIGQUERY_EMULATOR_HOST": bigquery_server.url}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        run = run_apart(folder, *WORDS, "--other-bucket", FAR, "--yes", "--json", "seen.json")
    return Done(
        run=run,
        text=(folder / "seen.json").read_text(),
        datasets=datasets_of(bigquery_server),
        objects=objects_below(gcs_root),
        jobs=bigquery_server.jobs(),
        files_of_user=sorted(one.name for one in (folder / "home").rglob("*") if one.is_file()),
    )


def make_buckets(gcs: GcsEmulator) -> None:
    """Two buckets, one with something that is nobody's business."""
    gcs.create_bucket(BUCKET)
    gcs.create_bucket(FAR)
    gcs.put(BUCKET, OTHERS, b"kept")


def datasets_of(bigquery: BigQueryEmulator) -> list[str]:
    """The datasets of the project."""
    return [one.dataset_id for one in bigquery.client("acme").list_datasets()]


def objects_below(root: Path) -> list[str]:
    """The objects of all buckets."""
    return sorted(str(one.relative_to(root)) for one in root.glob("*/**/*") if one.is_file())


def is_query(job: dict[str, Any]) -> bool:
    """Whether a job of the emulator is a query."""
    return bool(job["kind"] == "query")


def named(text: str) -> str:
    """A text of the JSON with the names that it hides."""
    text = re.sub(r"\bOTHER_BUCKET\b", FAR, text)
    return text.replace("BUCKET", BUCKET).replace("PROJECT", "acme").replace("ACCOUNT", "loader")


@pytest.fixture
def emulated(cloud: Cloud, own_dlt: None, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """Both emulators and the buckets, for a smoke test in this process."""
    del own_dlt
    make_buckets(cloud.gcs)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return cloud


def place() -> Place:
    """A place for one more run."""
    return choose_place(project="acme", bucket=BUCKET, other_bucket=None, location=None)


def points(*numbers: int) -> Any:
    """Some of the points."""
    return tuple(point for point in POINTS if point.number in numbers)


def ignore(_: Finding) -> None:
    """Hears of a finding, and does nothing."""


class TestAWholeRun:
    def test_tries_all_points_and_each_is_as_expected(self, done: Done) -> None:
        found = {one["number"]: one["verdict"] for one in done.document["points"]}
        assert found == dict.fromkeys(range(14), "as_expected")
        assert done.document["is_complete"]
        assert (done.run.returncode, done.document["exit_code"]) == (0, 0)

    def test_has_a_line_for_each_point_that_says_what_was_seen(self, done: Done) -> None:
        lines = done.run.stdout.splitlines()
        shown = [line for line in lines if re.match(r"(ok|LOOK|--) ", line)]
        titles = [f"ok    {point.number} {point.title}: " for point in POINTS]
        assert [line[: len(title)] for line, title in zip(shown, titles, strict=True)] == titles
        for point, line in zip(done.document["points"], shown, strict=True):
            for one in point["seen"]:
                assert named(one["text"]) in line
        assert "first load: 5 months by 5 load jobs; outputRows 40; the manifests 40" in shown[1]

    def test_sees_which_ways_keep_a_row_access_policy(self, done: Done) -> None:
        seen = list(done.seen(7))
        replaced = "months {'202501': 'new', '202502': 'other'}"
        assert f"after WRITE_TRUNCATE into $202501: loaded 1 row, policy gone, {replaced}" in seen
        assert f"after a transaction of DELETE and INSERT: done, policy kept, {replaced}" in seen

    def test_sees_what_becomes_of_doubles_maps_and_times_of_parquet(self, done: Done) -> None:
        seen = list(done.seen(6))
        assert seen[-7:] == [
            "Parquet into a table without columns: loaded 4 rows",
            "the time at which the table expires is kept",
            (
                "double is FLOAT, map is RECORD, number_map is RECORD, "
                "time_of_no_zone is DATETIME, time_in_utc is TIMESTAMP"
            ),
            "amounts: -1234567.891, 0.000000000000000001, 0.30000000000000004, 123456789012.34567",
            "map: JSON {'a': '2', 'b': '1'}",
            "number_map: JSON {'a': 0.1, 'b': None}",
            "times: 2025-01-01 12:00:00+00:00",
        ]
        statements = [job["configuration"]["query"]["query"] for job in done.jobs if is_query(job)]
        (insert,) = [one for one in statements if "probe_types_raw" in one]
        assert insert.startswith("INSERT INTO")

    def test_takes_up_the_job_of_a_process_that_was_killed(self, done: Done) -> None:
        assert list(done.seen(9)) == [
            f"the first process ended with -{signal.SIGKILL}",
            "it had begun 1 job",
            "the next load recorded 40 rows of the same job; 1 job in all",
        ]

    def test_says_first_what_it_makes_and_what_that_costs(self, done: Done) -> None:
        said = done.run.stdout.partition("ok    0")[0]
        assert re.search(r"the dataset cloudbill_smoke_[0-9a-f]{10}, in us-central1\n", said)
        assert re.search(rf"the folder gs://{BUCKET}/cloudbill-smoke-[0-9a-f]{{10}}/", said)
        assert "It removes both at the end, also after Ctrl-C." in said
        assert "less than 1 GB of queries" in said

    def test_leaves_nothing_and_touches_nothing_else(self, done: Done) -> None:
        assert done.datasets == []
        assert done.objects == [f"{BUCKET}/{OTHERS}"]
        assert done.document["left"] == []
        assert done.files_of_user == []

    def test_bounds_what_each_query_may_bill(self, done: Done) -> None:
        queries = [job["configuration"]["query"] for job in done.jobs if is_query(job)]
        assert len(queries) > 50
        limits = {str(query.get("maximumBytesBilled")) for query in queries}
        assert limits == {"100000000"}, [q for q in queries if "maximumBytesBilled" not in q]

    def test_names_few_enough_tables_to_bill_less_than_it_says(self, done: Done) -> None:
        assert least_bytes(done.jobs) < 1_000_000_000

    def test_writes_names_of_nobody_into_the_json(self, done: Done) -> None:
        assert "acme" not in done.text
        assert "@" not in done.text
        assert "gs://BUCKET/cloudbill-smoke-" in done.text
        assert {"cloudbill", "google-cloud-bigquery", "dlt", "python"} <= {
            *done.document["versions"]
        }
        assert done.document["is_emulator"]


def least_bytes(jobs: list[dict[str, Any]]) -> int:
    """What the queries of a run bill at least.

    "BigQuery pricing": at least 10 MB for each table that a query names. Statements that make
    tables bill nothing, nor do rows that an INSERT states.
    """
    queries = [job["configuration"]["query"]["query"] for job in jobs if is_query(job)]
    reading = [one for one in queries if not re.match(r"\s*(CREATE|DECLARE)", one)]
    table = r"`cloudbill_smoke_[0-9a-f]+`\.(?:`\w+`|INFORMATION_SCHEMA\.\w+)"
    named = [{*re.findall(table, one)} for one in reading if "SELECT" in one]
    assert len(named) > 50
    return sum(map(len, named)) * 10 * 1024 * 1024


class TestPartitionsThatAreListedLate:
    def test_all_points_together_bill_less_than_is_said(
        self, emulated: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        emulated.bigquery.lists_late = True
        waits = smoke_loads._WAITS_S  # noqa: SLF001
        monkeypatch.setattr(smoke_loads, "_WAITS_S", (0.0,) * len(waits))
        test = SmokeTest(place=place(), attempt=attempt, months_reported=months_reported)
        test.run(ignore, Stop())
        seen = [one.text for one in test.findings[4].seen]
        assert "first load: 0 of 5 listed after 3 looks" in seen[0]
        assert least_bytes(emulated.bigquery.jobs()) < 1_000_000_000


class TestConsent:
    @pytest.mark.usefixtures("emulated")
    def test_without_a_yes_nothing_is_made(
        self, run: Run, cloud: Cloud, gcs_root: Path, tmp_path: Path
    ) -> None:
        done = run(*WORDS)
        assert done.returncode == 2
        assert "Nobody can be asked here, so nothing was made. Give --yes to begin" in done.stderr
        assert datasets_of(cloud.bigquery) == []
        assert objects_below(gcs_root) == [f"{BUCKET}/{OTHERS}"]
        assert cloud.bigquery.jobs() == []
        assert not (tmp_path / "cloudbill-smoke-test.json").exists()

    def test_a_person_is_asked_and_no_is_the_default(self, emulated: Cloud, tmp_path: Path) -> None:
        terminal = Terminal(*WORDS, cwd=tmp_path)
        said = terminal.wait_for(r"Begin\? \[y/N\] ")
        assert "Nothing else is written or removed." in said
        terminal.type("\n")
        code, shown = terminal.end()
        assert code == 0
        assert "Nothing was made" in shown
        assert datasets_of(emulated.bigquery) == []

    @pytest.mark.usefixtures("emulated")
    def test_names_that_cannot_be_are_refused(self, run: Run) -> None:
        for words in (("--bucket", "s3://there"), ("--bucket", f"{BUCKET}/folder")):
            done = run("smoke-test", "--project", "acme", *words, "--yes")
            assert done.returncode == 2
            assert "is not a bucket of Google Cloud" in done.stderr

    @pytest.mark.usefixtures("emulated")
    def test_a_bucket_that_is_not_there_ends_it_before_anything_is_made(
        self, run: Run, cloud: Cloud
    ) -> None:
        done = run("smoke-test", "--project", "acme", "--bucket", "nowhere", "--yes")
        assert done.returncode == 2
        assert "There is no bucket gs://nowhere" in done.stderr
        assert datasets_of(cloud.bigquery) == []


class TestWhatGoesWrong:
    def test_a_point_that_fails_does_not_end_the_run(self, emulated: Cloud, gcs_root: Path) -> None:
        emulated.bigquery.deny("bigquery.rowAccessPolicies.list")
        test = SmokeTest(
            place=place(),
            attempt=attempt,
            months_reported=months_reported,
            points=points(7, 10, 11),
        )
        test.run(ignore, Stop())
        failed, kept, untried = test.findings
        assert (failed.point.number, failed.verdict) == (7, Verdict.FAILED)
        assert "bigquery.rowAccessPolicies.list" in str(failed.error)
        assert kept.verdict is Verdict.AS_EXPECTED
        assert untried.verdict is Verdict.NOT_TRIED
        assert test.exit_code == 1
        assert datasets_of(emulated.bigquery) == []
        assert objects_below(gcs_root) == [f"{BUCKET}/{OTHERS}"]

    def test_a_fault_of_a_point_does_not_end_the_run_either(self, emulated: Cloud) -> None:
        def break_off(trial: Trial) -> Iterator[Seen]:
            yield Seen(text=f"in {trial.place.location}", is_expected=True)
            raise ZeroDivisionError("nobody foresaw this")

        broken = Point(number=99, title="broken", expected="nothing", run=break_off)
        test = SmokeTest(
            place=place(),
            attempt=attempt,
            months_reported=months_reported,
            points=(broken, *points(11)),
        )
        test.run(ignore, Stop())
        assert [one.verdict for one in test.findings] == [Verdict.FAILED, Verdict.NOT_TRIED]
        assert "nobody foresaw this" in str(test.findings[0].error)
        assert [one.text for one in test.findings[0].seen] == ["in us-central1"]
        assert datasets_of(emulated.bigquery) == []

    def test_what_cannot_be_removed_is_named(self, emulated: Cloud) -> None:
        test = SmokeTest(
            place=replace(place(), other_bucket="gone"),
            attempt=attempt,
            months_reported=months_reported,
            points=(),
        )
        test.run(ignore, Stop())
        assert test.left == [f"folder gs://gone/{test.place.folder}/"]
        assert test.not_removed is not None
        assert test.exit_code == 4
        assert datasets_of(emulated.bigquery) == []

    def test_keep_leaves_all_for_a_look(self, emulated: Cloud, gcs_root: Path) -> None:
        test = SmokeTest(
            place=place(), attempt=attempt, months_reported=months_reported, points=(), keep=True
        )
        test.run(ignore, Stop())
        assert datasets_of(emulated.bigquery) == [test.place.dataset]
        assert f"{BUCKET}/{test.place.folder}/parquet/parquet/" in " ".join(objects_below(gcs_root))
        assert len(test.left) == 2

    @pytest.mark.usefixtures("emulated")
    def test_ctrl_c_within_a_load_removes_what_was_made(
        self, cloud: Cloud, gcs_root: Path, tmp_path: Path
    ) -> None:
        command = [str(Path(sys.executable).parent / "cloudbill"), *WORDS, "--yes"]
        with subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ}, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("ok    0 "):
                    process.send_signal(signal.SIGINT)
                    break
            rest = process.stdout.read()
        assert process.returncode == 130
        assert rest.count("Removed the ") == 2
        assert datasets_of(cloud.bigquery) == []
        assert objects_below(gcs_root) == [f"{BUCKET}/{OTHERS}"]
        document = json.loads((tmp_path / "cloudbill-smoke-test.json").read_text())
        assert not document["is_complete"]
        assert [one["number"] for one in document["points"]] == [0]

    def test_only_datasets_of_a_smoke_test_are_removed(self, emulated: Cloud) -> None:
        with pytest.raises(ConfigError, match="is no dataset of a smoke test"):
            remove_dataset(emulated.bigquery.client("acme"), replace(place(), suffix="x"))  # type: ignore[arg-type]
