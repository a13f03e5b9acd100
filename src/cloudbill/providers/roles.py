"""What the columns of a provider's table stand for, so that bills can be summed alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CostCase", "CostKind", "CostRule", "Roles"]


class CostKind(StrEnum):
    """The four costs of a charge, by their names in FOCUS."""

    BILLED = "billed"
    """What is invoiced."""
    EFFECTIVE = "effective"
    """What usage costs once prepaid commitments are spread over it."""
    LIST = "list"
    """What it would cost at public prices."""
    CONTRACTED = "contracted"
    """What it would cost at negotiated prices, without commitments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCase:
    """What the rows of one type count for: the sum of `plus` less the sum of `minus`.

    Without either they count nothing. `where_set` names a column that must not be empty.
    """

    type: str
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    where_set: str | None = None

    @property
    def amounts(self) -> tuple[str, ...]:
        """The columns that hold amounts."""
        return (*self.plus, *self.minus)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRule:
    """How one amount of a row is found: by the type of the row, otherwise in one column."""

    otherwise: str
    type_column: str | None = None
    cases: tuple[CostCase, ...] = ()

    @property
    def amounts(self) -> tuple[str, ...]:
        """The columns that hold amounts, each once."""
        return tuple(dict.fromkeys([self.otherwise, *(a for c in self.cases for a in c.amounts)]))

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that are compared, each once."""
        compared = [self.type_column, *(case.where_set for case in self.cases)]
        return tuple(dict.fromkeys(name for name in compared if name is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which columns tell what of a charge; of several, the first that is not empty in a row.

    `provider_name` stands where no column names the provider. A kind of cost that is not in
    `costs` is one that the export does not have.
    """

    costs: Mapping[CostKind, CostRule]
    provider_name: str
    provider: tuple[str, ...] = ()
    service: tuple[str, ...]
    sub_account_id: tuple[str, ...]
    sub_account_name: tuple[str, ...] = ()
    tags_column: str | None = None
    """A column that holds all tags of a row as one JSON object."""
    tags_prefix: str | None = None
    """What the names of columns start with that hold one tag each."""
    tags_header: str = ""
    """What the header of such a column starts with before the key of the tag."""
