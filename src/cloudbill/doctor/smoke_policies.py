"""The point of the smoke test on row access policies: which ways to replace a month keep them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.doctor.smoke_exports import MODES
from cloudbill.doctor.smoke_point import Seen
from cloudbill.doctor.smoke_probes import answer
from cloudbill.doctor.smoke_statements import grantee
from cloudbill.doctor.smoke_trial import result_of
from cloudbill.store import open_store
from cloudbill.text.counts import counted
from cloudbill.warehouses import open_warehouse
from cloudbill.warehouses.bigquery.jobs import wait_for

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_trial import Trial
    from cloudbill.sql import Fragment

__all__ = ["policies"]

_BEFORE: Final = {"old": "2025-01-01", "other": "2025-02-01"}
_AFTER: Final = {"202501": "new", "202502": "other"}
_FORCED: Final = "2025-02"
_STAGING: Final = "probe_policy_staging"


def policies(trial: Trial) -> Iterator[Seen]:
    """7: a table with a policy, of which one month is replaced in each way that there is."""
    to = grantee(str(trial.ask("account")[0][0]))
    new = trial.put_words("policy_new", {"new": "2025-01-01"})
    trial.make_table(_STAGING)
    trial.plain_load(f"{_STAGING}$202501", new)

    def replaced_by(what: str, table: str, job: Any, *, is_relied_on: bool = True) -> Seen:
        kept, words = _policies_of(trial, table), trial.words(table)
        return Seen(
            text=f"after {what}: {answer(job)}, "
            f"policy {'kept' if kept else 'gone'}, months {words}",
            is_expected=words == _AFTER if is_relied_on else None,
        )

    table = _guarded(trial, "truncate", to)
    job = trial.plain_load(f"{table}$202501", new)
    yield replaced_by("WRITE_TRUNCATE into $202501", table, job)
    table = _guarded(trial, "copy", to)
    job = trial.plain_copy(f"{_STAGING}$202501", f"{table}$202501")
    yield replaced_by("a truncating copy into $202501", table, job)
    table = _guarded(trial, "data", to)
    job = trial.plain_load(f"{table}$202501", new, write="WRITE_TRUNCATE_DATA")
    yield replaced_by("WRITE_TRUNCATE_DATA into $202501", table, job, is_relied_on=False)
    table = _guarded(trial, "transaction", to)
    transaction = trial.start("replace", table=trial.path(table), staging=trial.path(_STAGING))
    wait_for(transaction, "Replacing a month by a transaction")
    yield replaced_by("a transaction of DELETE and INSERT", table, transaction)
    is_kept = bool(_policies_of(trial, table))
    yield Seen(text=f"the transaction {'keeps' if is_kept else 'loses'} it", is_expected=is_kept)
    yield _of_a_load(trial, to)


def _guarded(trial: Trial, name: str, to: Fragment) -> str:
    """A table of two months and a policy, by which this account sees all of its rows."""
    table = f"probe_policy_{name}"
    trial.make_table(table)
    before = trial.put_words("policy_before", _BEFORE)
    trial.plain_load(table, before, write="WRITE_APPEND")
    trial.ask("grant", table=trial.path(table), grantee=to)
    return table


def _policies_of(trial: Trial, table: str) -> list[Any]:
    """The row access policies of a table ("rowAccessPolicies.list")."""
    reference = bigquery.TableReference.from_string(trial.reference(table))
    found: Mapping[str, Any] = trial.client._call_api(  # noqa: SLF001
        None, method="GET", path=f"{reference.path}/rowAccessPolicies"
    )
    return list(found.get("rowAccessPolicies", ()))


def _of_a_load(trial: Trial, to: Fragment) -> Seen:
    """What becomes of the policy of a table of bills whose month a load replaces.

    The load is not recorded, because what records it would bill as much as the rest of this point.
    """
    settings = trial.settings(MODES)
    planned = result_of(trial.load_once(MODES), _FORCED).planned
    trial.ask("grant", table=trial.path(settings.table_name), grantee=to)
    store = open_store(settings.bucket, sections=settings.sections)
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        months = warehouse.table_months(planned.table, planned.period_column).months
        now = replace(planned, is_forced=True, write_mark=months[planned.period].write_mark)
        result = warehouse.replace_period(now, store)
    kept = _policies_of(trial, settings.table_name)
    return Seen(
        text=f"after a load of cloudbill: {counted(result.rows, 'row')} by a "
        f"{trial.job(result.job_id).job_type} job, policy {'kept' if kept else 'gone'}",
        is_expected=bool(kept) and result.rows == planned.manifest.rows,
    )
