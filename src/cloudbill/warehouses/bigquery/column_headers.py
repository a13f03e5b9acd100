"""The header that a column came from, as its description has it; pure.

A header is the whole of a description, or its last line where somebody wrote another text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import bigquery

    from cloudbill.manifests import Column

__all__ = ["description_of", "has_headers", "headers_of", "text_with_header"]

_LONGEST: Final = 1024
"""BigQuery refuses more ("Column descriptions")."""
_MARK: Final = "\nheader in the files: "


def description_of(header: str) -> str:
    """A header as the description of its column, cut off where BigQuery would refuse it.

    The name of such a column ends in a hash of the whole header, so it finds its column all the
    same (`assign_columns`).
    """
    return header[:_LONGEST]


def headers_of(schema: Iterable[bigquery.SchemaField]) -> dict[str, str]:
    """The header of each column in the files, if its description has one."""
    return {str(field.name): _header(field.description) for field in schema}


def has_headers(schema: Iterable[bigquery.SchemaField], columns: Iterable[Column]) -> bool:
    """Whether a table has recorded the header of each column that is not called as its header.

    As long as it has not, another run may give the column to another header.
    """
    texts = {str(field.name).lower(): field.description for field in schema}
    return all(
        column.name == column.target
        or (
            column.target.lower() in texts
            and text_with_header(texts[column.target.lower()], column.name) is None
        )
        for column in columns
    )


def text_with_header(text: str | None, header: str) -> str | None:
    """A description that has a header too; None where it has, or where there is no room for it."""
    wanted = description_of(header)
    if not text:
        return wanted
    if _header(text) == wanted:
        return None
    added = f"{text}{_MARK}{wanted}"
    return added if len(added) <= _LONGEST else None


def _header(text: str | None) -> str:
    own, mark, header = (text or "").rpartition(_MARK)
    return header if mark else own or header
