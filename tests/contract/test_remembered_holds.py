"""What is held only once it was read is known to every command afterwards, not to `load` alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine_source
from cloudbill.errors import Guard, HeldError
from cloudbill.loading.failures import read_failures
from cloudbill.looking.status import Pending
from cloudbill.looking.status_reading import read_status
from cloudbill.periods import utc_now
from contract.conftest import in_ways
from contract.test_passing_over import october, wide

if TYPE_CHECKING:
    from contract.deliveries import Delivery
    from contract.places import Case

EACH = (("azure csv", "bigquery"), ("aws", "duckdb"))
"""Each provider and each warehouse once."""
WAYS = (("aws", "duckdb"),)
"""What is remembered is in a file of this machine."""

Found = tuple[tuple["Delivery", ...], str, Guard]


def costs_fall() -> Found:
    """A run whose rows are there and whose money is gone."""
    free = october("0", "0", "1", run_id="free", late=True)
    return (october("100", "200", "300", run_id="old"), free), "free", Guard.COSTS


def rows_fall() -> Found:
    """A run whose manifest counts nothing, and that has few rows."""
    return (wide(600, run_id="full"), wide(20, run_id="few", late=True)), "few", Guard.ROWS


@pytest.fixture(params=[costs_fall, rows_fall])
def found_late(request: pytest.FixtureRequest, case: Case) -> Callable[[], tuple[str, Guard]]:
    """Loads the older run, then holds the newer one once it is read; says which, and by what."""

    def hold() -> tuple[str, Guard]:
        (old, new), run_id, guard = request.param()
        case.deliver(old)
        assert case.load().exit_code == 0
        case.deliver(new)
        assert case.load(dry_run=True).exit_code == 0, "no manifest shows it"
        assert case.load().exit_code == HeldError.exit_code
        return run_id, guard

    return hold


def check_code(case: Case) -> int:
    """What `status --check` ends with."""
    return read_status(case.settings, now=utc_now()).check_code


def doctor_codes(case: Case) -> set[int]:
    """What `doctor` found of the source."""
    checks = examine_source(case.settings).checks
    return {check.exit_code for check in checks if not check.is_well}


@in_ways(EACH)
def test_every_command_knows_what_a_load_found_only_when_it_read_the_run(
    case: Case, found_late: Callable[[], tuple[str, Guard]]
) -> None:
    run_id, guard = found_late()

    status = read_status(case.settings, now=utc_now())
    plan = case.load(dry_run=True)

    (pending,) = status.months[0].pending
    assert (pending.pending, pending.run_id, pending.guard) == (Pending.HELD, run_id, guard)
    (reason,) = status.reasons
    assert (reason.run_id, status.check_code) == (run_id, 6)
    assert f"`cloudbill accept 2025-10 --source {case.settings.source}`" in str(reason.error)
    assert f"`cloudbill dismiss {case.settings.source} 2025-10`" in str(reason.error)
    assert ([skip.manifest.run_id for skip in plan.skips if skip.is_held], plan.exit_code) == (
        [run_id],
        6,
    )
    assert doctor_codes(case) == {6}
    assert (case.load().exit_code, read_failures(case.settings)) == (6, ())


def test_it_is_dismissed_without_its_id_and_is_no_alarm_any_more(
    case: Case, found_late: Callable[[], tuple[str, Guard]]
) -> None:
    run_id, _ = found_late()

    assert case.dismiss("2025-10") == [run_id]

    assert (case.load().exit_code, check_code(case), doctor_codes(case)) == (0, 0, set())


@in_ways(EACH)
def test_it_is_accepted_without_its_id_and_forgotten(
    case: Case, found_late: Callable[[], tuple[str, Guard]]
) -> None:
    run_id, _ = found_late()

    assert [one.planned.manifest.run_id for one in case.accept("2025-10").results] == [run_id]

    assert (case.load().exit_code, check_code(case), doctor_codes(case)) == (0, 0, set())


def test_a_newer_run_ends_the_alarm(
    case: Case, found_late: Callable[[], tuple[str, Guard]]
) -> None:
    found_late()
    newest = replace(wide(600, run_id="newest", late=True), submitted_at=utc_now())
    case.deliver(newest)

    assert case.load().exit_code == 0

    assert (case.load(dry_run=True).exit_code, check_code(case)) == (0, 0)


def test_a_guard_that_is_switched_off_holds_nothing_that_is_remembered(
    case: Case, found_late: Callable[[], tuple[str, Guard]]
) -> None:
    run_id, _ = found_late()
    off = replace(case, keys={"max_cost_drop": "1", "max_row_drop": "1"})

    assert [one.manifest.run_id for one in off.load(dry_run=True).planned] == [run_id]
    assert (off.load().exit_code, check_code(case)) == (0, 0)
