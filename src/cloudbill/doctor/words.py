"""The results of `doctor` in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudbill.doctor.examination import Check


__all__ = ["check_line"]


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
