"""A project without billing loads months and refuses the INSERT that records them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudbill.doctor.examination import examine_source
from cloudbill.errors import LedgerError, LoadError
from contract.faulty import NEW, OLD, Faulty
from emulators.fault_proxy import Status

if TYPE_CHECKING:
    from emulators.fault_proxy import Rule

INSERTS = r"INSERT INTO"


def without_billing(faulty: Faulty) -> Rule:
    """Refuses every INSERT, as BigQuery does ("BigQuery sandbox", limitations)."""
    refused = Status(403, "billingNotEnabled")
    return faulty.bigquery.add("POST", r"/(jobs|queries)\?", refused, times=None, body=INSERTS)


def test_no_month_is_loaded_again_where_it_cannot_be_recorded(faulty: Faulty) -> None:
    without_billing(faulty)
    faulty.case.deliver(OLD)
    first = faulty.case.load()
    assert isinstance(first.error, LedgerError)
    assert "billingNotEnabled" in str(first.error)
    assert len(faulty.load_jobs()) == 1
    faulty.case.deliver(NEW)
    for _ in range(2):
        refused = faulty.case.load()
        assert type(refused.error) is LoadError
        assert "Link a billing account to the project" in str(refused.error)
        assert refused.exit_code == 5
    assert len(faulty.load_jobs()) == 1
    assert faulty.case.held() == list(OLD.charges)


def test_once_there_is_billing_the_month_is_loaded_and_recorded(faulty: Faulty) -> None:
    without_billing(faulty)
    faulty.case.deliver(OLD)
    faulty.case.load()
    faulty.bigquery.clear()
    faulty.case.deliver(NEW)
    assert faulty.case.load().exit_code == 0
    assert faulty.case.held() == list(NEW.charges)
    assert [row[1] for row in faulty.case.tracked()] == ["new"]


def test_doctor_says_that_the_ledger_cannot_be_written(faulty: Faulty) -> None:
    faulty.case.deliver(OLD)
    faulty.case.load()
    (well,) = ledger_checks(faulty)
    assert well == "acme takes the INSERT of the ledger"
    without_billing(faulty)
    (ill,) = ledger_checks(faulty)
    assert "Link a billing account to the project" in ill
    assert "grant the account" not in ill


def ledger_checks(faulty: Faulty) -> list[str]:
    """What doctor finds about the writing of the ledger."""
    checks = examine_source(faulty.case.settings).checks
    return [
        f"{one.found}{one.remedy or ''}"
        for one in checks
        if "INSERT" in one.found or "Writing the ledger" in one.found
    ]
