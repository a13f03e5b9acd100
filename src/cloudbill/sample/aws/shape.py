"""How the rows of a month in the AWS sample divide into use, use that a plan covers, and fees."""

from dataclasses import dataclass

from cloudbill.sample.aws.catalogue import PLAN_SLOT, SERVICES
from cloudbill.sample.schedule import Month, ScheduledRun

__all__ = ["Shape", "covered_machines", "resource_count"]

_HOURLY_FROM_ROWS = 20_000
_DAILY_FROM_ROWS = 120
_ROWS_PER_MACHINE = 6
"""In the lines of one hour, or day, so that the plan's lines are not most of them."""


def resource_count(rows: int) -> int:
    """The resources of a bill with so many rows, the same number of each service."""
    return len(SERVICES) * max(4, rows // 720 // len(SERVICES))


def covered_machines(rows: int) -> int:
    """The machines that the savings plan covers: all of their service, unless rows are few."""
    hours = _plan_hours(rows)
    if not hours:
        return 1
    most = resource_count(rows) // len(SERVICES)
    return max(1, min(most, rows // (31 * 24 // hours) // _ROWS_PER_MACHINE))


def _plan_hours(rows: int) -> int:
    """The hours that a line of the savings plan covers; 0 is all of the month."""
    if rows >= _HOURLY_FROM_ROWS:
        return 1
    return 24 if rows >= _DAILY_FROM_ROWS else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The row numbers of a month: fees and the like first, then covered use, then other use.

    In each hour, or day, each covered machine has a line, the plan's fee has one, and each kind of
    covered use has one that negates it.
    """

    month: Month
    rows: int
    """Rows of the complete month."""
    lines: int
    """The lines of a complete month that are neither use nor of the savings plan."""
    kinds: int
    """The kinds of covered use: usage types in availability zones."""

    @property
    def hours(self) -> int:
        """The hours of a line of use that no plan covers."""
        # With only a few lines of one hour each, fixed fees would be almost all of the bill.
        return 1 if self.rows >= _HOURLY_FROM_ROWS else 24

    @property
    def plan_hours(self) -> int:
        """The hours of a line of the savings plan, and of what it covers."""
        return _plan_hours(self.rows) or self.month.days * 24

    @property
    def blocks(self) -> int:
        """The hours, or days, of the month in which the plan has lines."""
        return self.month.days * 24 // self.plan_hours

    @property
    def specials(self) -> int:
        """The rows that are no use."""
        return self.lines + self.blocks * (1 + self.kinds)

    @property
    def covered_until(self) -> int:
        """The first row after the covered use."""
        return self.specials + self.blocks * covered_machines(self.rows)

    def until(self, run: ScheduledRun) -> int:
        """The first row number after the days of a run; each day has equally many."""
        others = self.rows - self.covered_until
        return self.covered_until + -(-run.elapsed_days * others // run.month.days)

    def parameters(self) -> dict[str, object]:
        """The numbers that the queries name."""
        return {
            "rows": self.rows,
            "days": self.month.days,
            "hours": self.hours,
            "plan_hours": self.plan_hours,
            "lines": self.lines,
            "specials": self.specials,
            "covered_until": self.covered_until,
            "machines": covered_machines(self.rows),
            "slots": len(SERVICES),
            "plan_slot": PLAN_SLOT,
            "resources": resource_count(self.rows),
        }
