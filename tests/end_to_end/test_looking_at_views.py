"""What the commands that look say of the views: what counts, what is missing, and what is odd."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from end_to_end.conftest import configure, run_apart
from samples import write_aws

if TYPE_CHECKING:
    from end_to_end.conftest import Run

REPORT = """
[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
table_name = "report"
"""
FOCUS = """
[sources.aws_focus_billing]
bucket = "./exports"
prefix = "exports"
export_name = "focus-1-2"
table_name = "charges"
"""


@functools.cache
def _loaded() -> Path:
    """A folder with a report and an export of FOCUS of one account, both loaded."""
    folder = Path(tempfile.mkdtemp(prefix="cloudbill-views-"))
    for form in ("csv", "focus-1.2"):
        write_aws(folder / "exports", months=2, rows=60, seed=1, form=form)
    configure(folder, REPORT + FOCUS)
    done = run_apart(folder, "load")
    assert done.returncode == 0, done
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of it, where the test runs commands."""
    shutil.copytree(_loaded(), tmp_path, dirs_exist_ok=True)
    return tmp_path


def change(home: Path, *statements: str) -> None:
    """Changes the warehouse behind the back of cloudbill."""
    with closing(duckdb.connect(str(home / "cloudbill.duckdb"))) as connection:
        for statement in statements:
            connection.execute(statement)


def query(home: Path, text: str) -> list[tuple[Any, ...]]:
    """What the warehouse answers."""
    with closing(duckdb.connect(str(home / "cloudbill.duckdb"))) as connection:
        return connection.execute(text).fetchall()


def checks(run: Run, code: int = 0) -> list[dict[str, Any]]:
    """The checks of `doctor` that are of the views."""
    done = run("doctor", "--json")
    assert done.returncode == code, done
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    return [
        one for one in found if "billing.focus" in one["subject"] or "_faults" in one["subject"]
    ]


def told(found: list[dict[str, Any]], text: str) -> dict[str, Any]:
    """The one check that says something."""
    (one,) = [check for check in found if text in check["found"]]
    return one


@pytest.mark.usefixtures("home")
class TestDoctor:
    def test_the_source_that_counts_and_the_worst_faults_are_notes(self, run: Run) -> None:
        found = checks(run)

        assert told(found, "2 sources, as the tables are now")["result"] == "ok"
        left = told(found, "are in the tables of aws_billing and aws_focus_billing")
        assert left["found"].startswith("the charges of 2025-")
        assert left["found"].endswith("and the view counts them once, from aws_focus_billing")
        faults = [one for one in found if one["subject"] == "aws_focus_billing: focus_faults"]
        assert len(faults) == 4
        assert "more rules name charges" in faults[-1]["found"]
        assert "missing_list_unit_price" in faults[0]["found"]
        assert all(one["remedy"] for one in faults)
        assert {one["result"] for one in (left, *faults)} == {"note"}
        # Its months are left out, so it has no charges in the view.
        assert not [one for one in found if one["subject"] == "aws_billing: focus_faults"]

    def test_a_view_that_is_gone_or_old_is_to_be_made(self, run: Run, home: Path) -> None:
        change(
            home, "DROP VIEW billing.focus_1_4", "ALTER TABLE billing.charges ADD COLUMN x_New INT"
        )

        found = checks(run, 8)

        gone = told(found, "billing.focus_1_4 is missing")
        old = told(found, "billing.focus and billing.focus_faults are out of date")
        assert {one["result"] for one in (gone, old)} == {"look"}
        assert "run `cloudbill focus`" in gone["remedy"]
        assert run("focus").returncode == 0
        assert told(checks(run), "2 sources, as the tables are now")

    def test_a_view_that_cannot_be_read_is_to_be_made_again(self, run: Run, home: Path) -> None:
        with closing(duckdb.connect(str(home / "cloudbill.duckdb"))) as connection:
            row = connection.execute(
                "SELECT comment FROM duckdb_views() WHERE view_name = 'focus'"
            ).fetchone()
            assert row is not None
            connection.execute("CREATE TABLE billing.lost AS SELECT 1 AS one")
            connection.execute(
                "CREATE OR REPLACE VIEW billing.focus AS SELECT one FROM billing.lost"
            )
            connection.execute(f"COMMENT ON VIEW billing.focus IS '{row[0]}'")
            connection.execute("DROP TABLE billing.lost")

        found = checks(run, 1)

        broken = next(one for one in found if one["subject"] == "billing.focus")
        assert broken["result"] == "look"
        assert "the view cannot be read" in broken["found"]
        assert "cloudbill focus" in broken["remedy"]

    def test_a_foreign_view_and_a_table_that_nothing_loads_are_named(
        self, run: Run, home: Path
    ) -> None:
        configure(home, FOCUS)
        change(
            home, "DROP VIEW billing.focus_1_4", "CREATE TABLE billing.focus_1_4 AS SELECT 1 AS one"
        )

        found = checks(run)

        assert told(found, "billing.focus_1_4 was not made by cloudbill")["result"] == "note"
        lonely = told(found, "no section of the configuration loads billing.report")
        assert lonely["result"] == "note"
        assert "aws_billing" in lonely["found"]

    def test_codes_without_a_category_are_listed(self, run: Run, home: Path) -> None:
        configure(home, REPORT + FOCUS + "in_focus = false\n")
        change(
            home,
            "UPDATE billing.report SET line_item_product_code = 'AmazonNovelty' "
            "WHERE line_item_product_code = 'AmazonEC2'",
        )
        assert run("focus").returncode == 0

        (unknown,) = [
            one
            for one in json.loads(run("doctor", "--json").stdout)["checks"]
            if "AmazonNovelty" in one["found"]
        ]

        assert unknown["result"] == "note"
        assert unknown["subject"] == "aws_billing: focus"
        assert "AmazonEC2" not in unknown["found"]


class TestStatus:
    def test_months_that_another_source_has_are_named(self, run: Run, home: Path) -> None:
        done = run("status")
        assert (done.returncode, done.stderr) == (0, "")
        last = done.stdout.splitlines()[-1]
        assert last.startswith("billing.focus - the charges of 2025-")
        assert last.endswith("and the view counts them once, from aws_focus_billing")
        (left,) = json.loads(run("status", "--json").stdout)["left_out"]
        months = left.pop("months")
        assert len(months) == 2
        assert left == {
            "dataset": "billing",
            "source": "aws_billing",
            "counts": "aws_focus_billing",
        }
        configure(home, REPORT)
        assert run("focus").returncode == 0
        # The other table is still in the view, and still counts.
        assert run("status").stdout.splitlines()[-1] == last

    def test_a_view_that_is_missing_or_old_is_an_alarm(self, run: Run, home: Path) -> None:
        change(home, "DROP VIEW billing.focus", "ALTER TABLE billing.charges ADD COLUMN x_New INT")

        seen, alarm = run("status"), run("status", "--check")

        assert seen.returncode == 0
        for done in (seen.stdout, alarm.stderr):
            assert "billing.focus is missing; mended by `cloudbill focus`" in done
            assert "billing.focus_1_4 and billing.focus_faults are out of date" in done
        assert alarm.returncode == 8
        assert "More: cloudbill explain StaleError" in alarm.stderr
        views = json.loads(run("status", "--json").stdout)["views"]
        assert [(one["view"], one["state"]) for one in views] == [
            ("focus", "missing"),
            ("focus_1_4", "out_of_date"),
            ("focus_faults", "out_of_date"),
        ]
        configure(home, REPORT + FOCUS + "focus = false\n")
        off = run("status", "--check")
        assert off.returncode == 0, off
        assert "billing.focus " not in off.stdout + off.stderr


class TestVerify:
    def test_a_report_and_an_export_of_focus_are_equal_to_the_last_digit(
        self, run: Run, home: Path
    ) -> None:
        configure(home, REPORT + FOCUS + "in_focus = false\n")
        # From one month on, the report states costs after discounts as well.
        change(
            home,
            "ALTER TABLE billing.report ADD COLUMN line_item_net_unblended_cost DECIMAL(38,18)",
            "ALTER TABLE billing.report ADD COLUMN "
            "savings_plan_net_savings_plan_effective_cost DECIMAL(38,18)",
            "UPDATE billing.report SET line_item_net_unblended_cost = line_item_unblended_cost "
            "- CASE WHEN line_item_line_item_type = 'Usage' THEN 0.000000000000000001 ELSE 0 END, "
            "savings_plan_net_savings_plan_effective_cost = 0.25 "
            "WHERE bill_billing_period_start_date = (SELECT MAX(bill_billing_period_start_date) "
            "FROM billing.report)",
        )
        assert run("focus").returncode == 0

        done = run("verify", "--view", "--json")

        assert done.returncode == 0, done
        months = json.loads(done.stdout)["months"]
        assert [(one["source"], one["result"]) for one in months] == [("aws_billing", "equal")] * 2
        newest = months[0]["view"]["USD"]
        ((net, plain),) = query(
            home,
            "SELECT SUM(line_item_net_unblended_cost), SUM(line_item_unblended_cost) "
            "FROM billing.report GROUP BY bill_billing_period_start_date "
            "HAVING COUNT(line_item_net_unblended_cost) > 0",
        )
        assert newest["BilledCost"] == str(net)
        assert net != plain
        assert newest["EffectiveCost"] != newest["BilledCost"]

    def test_months_that_are_left_out_are_told(self, run: Run, home: Path) -> None:
        assert home.is_dir()

        done = run("verify", "--view", "--strict")

        assert done.returncode == 0, done
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        assert lines[0].endswith(" left out - the view has its charges from aws_focus_billing")
        assert " equal - BilledCost " in lines[2]
        (month,) = json.loads(
            run("verify", "aws_billing", "--view", "--month", lines[0].split()[1], "--json").stdout
        )["months"]
        assert (month["counts"], month["view"]) == ("aws_focus_billing", {})

    def test_what_the_view_does_not_have_as_the_table_has_it_is_a_difference(
        self, run: Run, home: Path
    ) -> None:
        configure(home, REPORT + FOCUS + "in_focus = false\n")
        assert run("focus").returncode == 0
        # What negated usage is gone, which the view is told by `cloudbill focus`.
        change(
            home,
            "DELETE FROM billing.report WHERE line_item_line_item_type = 'SavingsPlanNegation'",
        )

        done = run("verify", "--view")

        assert done.returncode == 7, done
        assert "different - the view is not as the tables are now" in done.stdout
        assert "  BilledCost USD: " in done.stdout
        assert run("focus").returncode == 0
        assert run("verify", "--view").returncode == 0

    def test_without_a_view_there_is_nothing_to_verify(self, run: Run, home: Path) -> None:
        change(home, "DROP VIEW billing.focus")
        gone = run("verify", "--view")
        configure(home, REPORT + "focus = false\n")
        off = run("verify", "--view")

        assert gone.returncode == 8
        assert "The view billing.focus is missing" in gone.stderr
        assert off.returncode == 0
        assert "'focus' is off" in off.stderr
        assert run("verify", "--view", "--strict").returncode == 7
