"""What persons decide of a run on the command line: what they see first, and how it ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from contract.deliveries import AwsWriter, AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import BEFORE, NOW, config_of, deliver
from end_to_end.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.conftest import Run

OF_MONTH = ("--month", BEFORE)


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    """A source that has two runs of a month, and holds the newer one; a second one has nothing."""
    configure(tmp_path, config_of(AzureWriter()) + "\n" + config_of(AwsWriter()))
    deliver(tmp_path, AwsWriter(), run_id="other")
    deliver(tmp_path, AzureWriter(), at=NOW - timedelta(days=5), run_id="big", costs=("1",) * 28)
    assert run("load").returncode == 0
    deliver(tmp_path, AzureWriter(), at=NOW - timedelta(days=4), run_id="small")
    assert run("load").returncode == 6
    return tmp_path


@pytest.mark.usefixtures("home")
def test_accepting_without_a_terminal_shows_the_month_and_changes_nothing(run: Run) -> None:
    done = run("accept", BEFORE)

    assert done.returncode == 2
    assert f"azure_billing, {BEFORE}: run small would replace run big" in done.stdout
    assert "rows: 28 now, 3 then (-25, -89.3%)" in done.stdout
    assert "billed cost: 28.00 EUR now, 6.00 EUR then (-22.00, -78.6%)" in done.stdout
    assert "add --yes" in done.stderr
    assert run("status", "--check").returncode == 6

    refused = run("accept", BEFORE, "--json")
    document = json.loads(refused.stdout)
    (found,) = document["accepting"]
    assert (refused.returncode, document["loads"]) == (2, [])
    assert (found["before"]["run_id"], found["after"]["run_id"]) == ("big", "small")
    assert found["difference"]["billed_cost"]["EUR"]["percent"] == "-78.6"


@pytest.mark.usefixtures("home")
def test_with_yes_it_shows_the_month_and_goes_on(run: Run) -> None:
    done = run("accept", BEFORE, "--yes", "--json")

    document = json.loads(done.stdout)
    assert (done.returncode, [load["run_id"] for load in document["loads"]]) == (0, ["small"])
    assert document["accepting"][0]["difference"]["rows"] == -25
    assert "rows: 28 now, 3 then (-25, -89.3%)" in done.stderr


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("answer", "code"), [("\r", 6), ("y\r", 0)])
def test_on_a_terminal_it_asks_and_the_enter_key_says_no(
    run: Run, tmp_path: Path, answer: str, code: int
) -> None:
    terminal = Terminal("accept", BEFORE, cwd=tmp_path)
    shown = terminal.wait_for(r"Load it\? \[y/N\]")
    terminal.type(answer)

    assert terminal.end()[0] == 0
    assert "28 now, 3 then" in shown
    assert run("status", "--check").returncode == code


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("all", "--run", "big", *OF_MONTH),
            "--run is for one source; name it: azure_billing, aws",
        ),
        (("--release", *OF_MONTH), "--release is for one source"),
        (("azure", "--run", "big"), "--run is for one month"),
        (("azure", "--release", *OF_MONTH, "--month", "2025-01"), "--release is for one month"),
        (("azure", "--run", "big", "--release", *OF_MONTH), "not both"),
        (("azure", "--run", "huge", *OF_MONTH), "azure_billing has no run 'huge' of"),
    ],
)
def test_a_choice_that_is_not_clear_ends_with_2_and_changes_nothing(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    for command in ("load", "plan"):
        done = run(command, *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.usefixtures("home")
def test_a_run_is_put_into_a_month_and_taken_out_again(run: Run) -> None:
    tried = run("load", "azure", "--run", "sm", *OF_MONTH, "--dry-run")
    assert f"Would load {BEFORE} (run_id: small)" in tried.stdout
    assert f"{BEFORE} would be pinned to run small" in tried.stdout
    assert "pinned" not in run("status").stdout

    done = run("load", "azure", "--run", "sm", *OF_MONTH)
    assert f"{BEFORE} is pinned to run small until a run comes that is newer" in done.stdout
    assert (done.returncode, run("status", "--check").returncode) == (0, 0)
    back = run("load", "azure", "--run", "big", *OF_MONTH)
    assert f"Completed loading {BEFORE} (run_id: big)" in back.stdout
    assert "Skipping" in (aside := run("plan", "azure").stdout)
    assert "(run_id: small) - pinned: the month stays with run big" in aside

    released = run("load", "azure", "--release", *OF_MONTH)
    assert f"azure_billing: {BEFORE} is not pinned any more" in released.stdout
    # What was chosen by its id was not accepted: by the ordinary rules it is held.
    assert released.returncode == 6
