"""What the columns of a provider's table mean, so that all bills can be summed the same way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

__all__ = ["CostCase", "CostKind", "CostRule", "Roles", "TextTest"]


class CostKind(StrEnum):
    """The four costs of a charge, by their names in FOCUS."""

    BILLED = "billed"
    """What is invoiced."""
    EFFECTIVE = "effective"
    """The cost of usage with prepaid commitments spread over it."""
    LIST = "list"
    """The cost at public prices."""
    CONTRACTED = "contracted"
    """The cost at negotiated prices, without commitments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCase:
    """The amount of a row of one type: the sum of `plus` minus the sum of `minus`.

    Without both it is 0. With `is_ending`, `type` is what the types end with. `where_set` names a
    column that must not be empty, and `where_begins` a column and what its text must begin with.
    """

    type: str
    is_ending: bool = False
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    where_set: str | None = None
    where_begins: tuple[str, str] | None = None

    @property
    def amounts(self) -> tuple[str, ...]:
        """The columns with amounts."""
        return (*self.plus, *self.minus)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRule:
    """How to find an amount of a row: by the type of the row, otherwise in one column."""

    otherwise: str
    type_column: str | None = None
    cases: tuple[CostCase, ...] = ()
    first: Mapping[str, str] = field(default_factory=dict)
    """For some of the columns with amounts another one, which counts where a row has it."""
    fallback: str | None = None
    """What counts where a row that is of no case has nothing in the column `otherwise`."""

    def within(self, columns: Collection[str]) -> CostRule:
        """The same rule for a table with only these columns, in lower case.

        A column that the table lacks is empty in every row, so no row is of its case.
        """
        cases = [
            replace(
                case,
                plus=tuple(name for name in case.plus if self._held(name, columns)),
                minus=tuple(name for name in case.minus if self._held(name, columns)),
            )
            for case in self.cases
            if self.type_column in columns
            and (case.where_set is None or case.where_set in columns)
            and (case.where_begins is None or case.where_begins[0] in columns)
        ]
        return replace(
            self,
            type_column=self.type_column if cases else None,
            cases=tuple(cases),
            first={name: net for name, net in self.first.items() if net in columns},
        )

    def _held(self, name: str, columns: Collection[str]) -> bool:
        return name in columns or self.first.get(name) in columns

    @property
    def amounts(self) -> tuple[str, ...]:
        """The columns with amounts, each once."""
        columns = [self.otherwise, *(a for c in self.cases for a in c.amounts)]
        return tuple(dict.fromkeys([*columns, *([self.fallback] if self.fallback else [])]))

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that are compared, each once."""
        compared = [self.type_column]
        for case in self.cases:
            compared += [case.where_set, case.where_begins and case.where_begins[0]]
        return tuple(dict.fromkeys(name for name in compared if name is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTest:
    """Whether the text of a column is or contains one of some words, or begins or ends with one.

    Without any of these, whether it is not empty. A column that the table lacks is empty in every
    row. With `is_not`, the opposite.
    """

    column: str
    equals: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    is_not: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The columns for each property of a charge; the first that is not empty in a row counts.

    `product.product_name` is a key of a column of objects.

    `provider_name` is the provider if no column names it. A kind of cost that is not in `costs` is
    not in the export.
    """

    costs: Mapping[CostKind, CostRule]
    net: Mapping[str, str] = field(default_factory=dict)
    """For columns with amounts those with the same after discounts, which some tables have."""
    provider_name: str
    provider: tuple[str, ...] = ()
    service: tuple[str, ...]
    sub_account_id: tuple[str, ...]
    sub_account_name: tuple[str, ...] = ()
    tags_column: str | None = None
    """A column with all tags of a row as one JSON object."""
    tags_prefix: str | None = None
    """The prefix of the names of columns with one tag each."""
    purchases: tuple[tuple[TextTest, ...], ...] = ()
    """A row is a purchase, as the view `focus` says it, if it passes all tests of any of these."""
    one_time: tuple[tuple[TextTest, ...], ...] = ()
    """The same for the purchases that happen once."""
    half_unused: tuple[tuple[TextTest, ...], ...] = ()
    """The same for those whose effective cost is that of what is unused, which is usage."""
    derived: Mapping[CostKind, str] = field(default_factory=dict)
    """For kinds of cost that the export does not state for every row, what counts instead."""
    tags_header: str = ""
    """The prefix before the key of the tag, in the header of such a column."""
