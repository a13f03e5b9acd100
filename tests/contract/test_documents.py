"""What commands print as JSON fits its schema in each warehouse, whatever state a bill is in.

What `load`, `plan` and their logs print is held against it in every test of this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudbill.doctor.examination import examine
from cloudbill.doctor.words import checks_json
from cloudbill.focus.keeping import keep_views, look_at_views
from cloudbill.looking.focus_words import plans_json
from cloudbill.looking.load_history import read_history
from cloudbill.looking.load_history_words import history_json
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.status_words import status_json
from cloudbill.looking.verification import verify_source
from cloudbill.looking.verification_words import verification_json
from cloudbill.looking.view_verification import verify_view
from cloudbill.looking.view_words import view_json
from cloudbill.periods import utc_now
from contract.conftest import LOOKING_WAYS
from contract.deliveries import Delivery, at, charges
from documents import require_fit

if TYPE_CHECKING:
    from contract.places import Case

WAYS = LOOKING_WAYS
EARLY, LATE = at("2025-10-15 04:00"), at("2025-11-03 04:00")


def looked_at(case: Case) -> dict[str, Any]:
    """All that is told of a source and changes nothing, each held against its schema."""
    settings = case.settings
    plan = look_at_views([settings])
    case.load(dry_run=True)
    texts = {
        "status": status_json([read_status(settings, now=utc_now())], plans=[plan]),
        "history": history_json([read_history(settings, frozenset())]),
        "verify": verification_json([verify_source(settings, frozenset(), lambda _: None)]),
        "focus": plans_json([plan]),
        "doctor": checks_json(examine([settings])),
    }
    return {name: require_fit(name, text) for name, text in texts.items()}


def test_documents_fit_before_a_load_after_it_and_while_runs_are_held_and_wait(case: Case) -> None:
    nothing = looked_at(case)
    assert (nothing["status"]["views"], nothing["verify"]["months"]) == ([], [])

    bill = charges("2025-10", *"123456")
    case.deliver(Delivery(period="2025-10", charges=bill, submitted_at=EARLY, run_id="whole"))
    case.load()
    loaded = looked_at(case)
    assert {view["state"] for view in loaded["status"]["views"]} == {"missing"}
    assert [month["result"] for month in loaded["verify"]["months"]] == ["equal"]

    keep_views([case.settings])
    require_fit("verify-view", view_json(verify_view([case.settings])))
    case.deliver(Delivery(period="2025-10", charges=[], submitted_at=LATE, run_id="empty"))
    options: dict[str, Any] = {"submitted_at": LATE, "run_id": "waits", "parts": 2}
    waiting = case.write(Delivery(period="2025-11", charges=charges("2025-11", "1"), **options))
    waiting.parts[0].unlink()
    case.place.put(waiting.folder)
    case.load()
    odd = looked_at(case)
    reasons = [
        run["reason"] for month in odd["status"]["sources"][0]["months"] for run in month["pending"]
    ]
    assert sorted(reasons) == ["held", "waiting"]
    assert {view["state"] for view in odd["status"]["views"]} == {"ok"}
