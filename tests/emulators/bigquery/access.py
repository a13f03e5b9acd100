"""Who asks, and what it may do: one account, from which tests take single permissions away.

The texts are those of https://cloud.google.com/bigquery/docs/troubleshoot-queries (access denied),
and those that public reports have recorded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bqemulator.domain.errors import PermissionDeniedError
from bqemulator.row_access.identity import CallerIdentity
from fastapi.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from emulators.bigquery.tables import TableRef

LOADER: Final = "serviceAccount:loader@acme.iam.gserviceaccount.com"
FINE_GRAINED: Final = "datacatalog.categories.fineGrainedGet"
RAW_DATA: Final = "bigquery.dataPolicies.getRawData"

_TABLES = (
    r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets/(?P<dataset>[^/]+)"
    r"/tables/(?P<table>[^/:]+)"
)
_DATASET = r"/bigquery/v2/projects/(?P<project>[^/]+)/datasets/(?P<dataset>[^/]+)"
_PROJECT = r"(?:/upload)?/bigquery/v2/projects/(?P<project>[^/]+)"
# https://cloud.google.com/bigquery/docs/reference/rest names the permission of each method.
_RULES: Final[tuple[tuple[str, re.Pattern[str], str], ...]] = tuple(
    (method, re.compile(path), permission)
    for method, path, permission in (
        ("GET", _DATASET, "bigquery.datasets.get"),
        ("POST", f"{_PROJECT}/datasets", "bigquery.datasets.create"),
        ("GET", f"{_DATASET}/tables", "bigquery.tables.list"),
        ("POST", f"{_DATASET}/tables", "bigquery.tables.create"),
        ("GET", _TABLES, "bigquery.tables.get"),
        ("PATCH", _TABLES, "bigquery.tables.update"),
        ("PUT", _TABLES, "bigquery.tables.update"),
        ("DELETE", _TABLES, "bigquery.tables.delete"),
        ("GET", f"{_TABLES}/rowAccessPolicies", "bigquery.rowAccessPolicies.list"),
        ("POST", f"{_TABLES}/rowAccessPolicies", "bigquery.rowAccessPolicies.create"),
        ("POST", f"{_PROJECT}/(?:jobs|queries)", "bigquery.jobs.create"),
    )
)


@dataclass(slots=True, kw_only=True)
class Access:
    """The account that asks, and the permissions that it does not have."""

    caller: str = LOADER
    denied: set[str] = field(default_factory=set)

    def identity(self) -> CallerIdentity:
        """The account, for the policies of rows."""
        return CallerIdentity(principal=self.caller)

    async def asked_identity(self) -> CallerIdentity:
        """The same for a route, which asks no thread for a coroutine."""
        return self.identity()

    def may(self, permission: str) -> bool:
        """Whether the account has a permission."""
        return permission not in self.denied

    def require(self, permission: str, table: TableRef) -> None:
        """Refuse what the account may not do to a table."""
        if not self.may(permission):
            raise PermissionDeniedError(denial(permission, f"{table}".partition("$")[0]))

    def clear(self) -> None:
        """Let the loader do everything again."""
        self.caller = LOADER
        self.denied.clear()


def denial(permission: str, table: str) -> str:
    """What is said of a permission that is missing on a table."""
    return (
        f"Access Denied: Table {table}: Permission {permission} denied on table {table} (or it may "
        "not exist)."
    )


class Gate:
    """Refuses requests whose permission is denied, before any route sees them."""

    def __init__(self, app: Any, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer 403, or let the request through."""
        message = self._refusal(scope) if self._access.denied else None
        if message is None:
            await self._app(scope, receive, send)
            return
        one = {"domain": "global", "reason": "accessDenied", "message": message}
        error = {"code": 403, "message": message, "errors": [one], "status": "PERMISSION_DENIED"}
        await JSONResponse({"error": error}, status_code=403)(scope, receive, send)

    def _refusal(self, scope: MutableMapping[str, Any]) -> str | None:
        if scope["type"] != "http":
            return None
        for method, path, permission in _RULES:
            found = path.fullmatch(scope["path"]) if scope["method"] == method else None
            if found is not None and not self._access.may(permission):
                return refusal(permission, found.groupdict())
        return None


def refusal(permission: str, names: dict[str, str]) -> str:
    """What is said of a permission that is missing on a table, a dataset or a project."""
    project = names["project"]
    if "table" in names:
        return denial(permission, f"{project}:{names['dataset']}.{names['table']}".split("$")[0])
    if "dataset" in names:
        dataset = f"{project}:{names['dataset']}"
        return (
            f"Access Denied: Dataset {dataset}: Permission {permission} denied on dataset "
            f"{dataset} (or it may not exist)."
        )
    return (
        f"Access Denied: Project {project}: User does not have {permission} permission in project "
        f"{project}."
    )
