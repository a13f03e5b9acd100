"""The results of `doctor` in words and as a JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudbill.text.failures import SourceFailure, failures_json

if TYPE_CHECKING:
    from cloudbill.doctor.examination import Check


__all__ = ["check_line", "checks_json"]


def check_line(check: Check) -> str:
    """The line of a check."""
    if not check.is_checked:
        return f"--    {check.subject} - not checked: {check.found}"
    remedy = f"; {check.remedy}" if check.remedy else ""
    if check.is_note:
        return f"note  {check.subject} - {check.found}{remedy}"
    if check.is_well:
        return f"ok    {check.subject} - {check.found}"
    return f"LOOK  {check.subject} - {check.found}{remedy}"


def checks_json(checks: Sequence[Check], ended: Sequence[SourceFailure] = ()) -> str:
    """The JSON document."""
    found = [
        {
            "subject": check.subject,
            "result": _result(check),
            "found": check.found,
            "remedy": check.remedy or None,
        }
        for check in checks
    ]
    return json.dumps({"checks": found, "failures": failures_json(ended)}, indent=2)


def _result(check: Check) -> str:
    if not check.is_checked:
        return "not_checked"
    if check.is_note:
        return "note"
    return "ok" if check.is_well else "look"
