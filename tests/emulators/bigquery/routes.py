"""Routes that answer before the emulator's own."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from bqemulator.api.dependencies import AppContext, get_caller, get_context
from bqemulator.api.routes import jobs as stock_jobs
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta
from bqemulator.domain.errors import (
    InvalidQueryError,
    PermissionDeniedError,
    UnsupportedFeatureError,
)
from bqemulator.row_access.identity import CallerIdentity
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from google.cloud.bigquery.job.base import _ERROR_REASON_TO_EXCEPTION

from emulators.bigquery.billing import bytes_billed, require_within
from emulators.bigquery.copying import run_copy
from emulators.bigquery.errors import JobError
from emulators.bigquery.filters import require_filters
from emulators.bigquery.load import LoadSpec, run_load
from emulators.bigquery.partitions import stamping_changes
from emulators.bigquery.protection import check_statement, protects_rows
from emulators.bigquery.transactions import is_transaction, run_transaction

if TYPE_CHECKING:
    from emulators.bigquery.jobs import JobRunner

Caller = Annotated[CallerIdentity, Depends(get_caller)]
Context = Annotated[AppContext, Depends(get_context)]

_HIDDEN = re.compile(r"Access Denied: (?P<what>\w+ \S+): .*or perhaps it does not exist")


# FastAPI asks a thread for what is no coroutine, twice in each answer.


async def _context_of(request: Request) -> AppContext:
    return get_context(request)


async def _caller_of(request: Request) -> CallerIdentity:
    return get_caller(request)


IN_THE_LOOP = {get_context: _context_of, get_caller: _caller_of}
"""What the emulator's own routes depend on, as coroutines."""


def job_routes(runner: JobRunner) -> APIRouter:
    """jobs.insert and jobs.query."""
    router = APIRouter(prefix="/bigquery/v2/projects/{project_id}")

    @router.post("/jobs")
    async def insert(
        project_id: str, request: Request, context: Context, caller: Caller
    ) -> dict[str, Any]:
        body = await request.json()
        config = body.get("configuration") or {}
        job_id = (body.get("jobReference") or {}).get("jobId")
        if "load" in config:
            LoadSpec.of(config["load"])
            job = await runner.run(
                "LOAD",
                project_id,
                runner.claim(project_id, job_id),
                config,
                lambda run: run_load(run, config["load"]),
            )
        elif "copy" in config:
            job = await runner.run(
                "COPY",
                project_id,
                runner.claim(project_id, job_id),
                config,
                lambda run: run_copy(run, config["copy"]),
            )
        else:
            return await _insert_stock(runner, project_id, request, context, caller)
        return stock_jobs._build_job_response(project_id, job.job_id, job, config)  # noqa: SLF001

    @router.post("/queries")
    async def query(project_id: str, request: Request, context: Context, caller: Caller) -> Any:
        body = await request.json()
        sql = body["query"] = _with_default_dataset(project_id, body)
        _allow(runner, project_id, sql)
        billed = _billed(runner, body)
        refused = _beyond_limit(runner, project_id, body, billed)
        if refused is not None:
            return refused
        with stamping_changes(runner, sql):
            answer = await stock_jobs.query(project_id, request, context, caller)
        return _with_its_job(runner, project_id, body, answer, billed)

    @router.get("/queries/{job_id}")
    async def results(  # noqa: PLR0917
        project_id: str,
        job_id: str,
        context: Context,
        maxResults: int = 10_000,  # noqa: N803
        startIndex: int = 0,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> Any:
        job = runner.catalog.get_job(project_id, job_id)
        if job is not None and job.state != "DONE":
            return {"jobReference": _reference(project_id, job_id), "jobComplete": False}
        if job is not None and job.error_result:
            return _refusal(job.error_result)
        answer = stock_jobs.get_query_results(
            project_id, job_id, context, maxResults, startIndex, pageToken
        )
        if not maxResults:  # asks only whether the job is done; an empty page would end the rows
            answer = {key: answer[key] for key in answer.keys() - {"rows", "pageToken"}}
        return answer

    return router


def _with_default_dataset(project: str, query: dict[str, Any]) -> str:
    """The SQL of a query, whose tables without a dataset are those of the default one.

    The emulator does that for `jobs.insert` alone, and it cannot read a `?`, which dlt writes.
    """
    sql: str = query.get("query") or ""
    if query.get("queryParameters"):
        return sql
    qualified: str = stock_jobs._apply_default_dataset(  # noqa: SLF001
        sql, query, request_project_id=project
    )
    return qualified


def _billed(runner: JobRunner, query: dict[str, Any]) -> int:
    return bytes_billed(runner, query.get("query") or "", query.get("queryParameters") or [])


def _beyond_limit(
    runner: JobRunner, project: str, body: dict[str, Any], billed: int
) -> JSONResponse | None:
    """The answer to a query beyond its limit; its job failed at once, is kept, and bills nothing.

    It comes as 500, as users recorded: https://github.com/exmergo/dex/issues/320
    """
    try:
        require_within(body.get("maximumBytesBilled"), billed)
    except JobError as error:
        return _failed_at_once(runner, project, body, error)
    return None


def _failed_at_once(
    runner: JobRunner, project: str, body: dict[str, Any], error: JobError
) -> JSONResponse:
    configuration = {"query": body, "labels": body.get("labels") or {}}
    _keep_failed(runner, project, runner.claim(project, None), configuration, error)
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    told = {"code": code, "message": error.message, "errors": [error.to_rest()]}
    return JSONResponse({"error": told}, status_code=code)


def _keep_failed(
    runner: JobRunner, project: str, job_id: str, configuration: dict[str, Any], error: JobError
) -> JobMeta:
    """The job of a query that failed before it began."""
    now = runner.context.clock.now()
    job = JobMeta(
        project_id=project,
        job_id=job_id,
        job_type="QUERY",
        state="DONE",
        configuration=configuration,
        error_result=error.to_rest(),
        creation_time=now,
        start_time=now,
        end_time=now,
        etag=generate_etag(project, job_id, str(now)),
    )
    runner.catalog.upsert_job(job)
    return job


def _with_its_job(
    runner: JobRunner, project: str, body: dict[str, Any], answer: dict[str, Any], billed: int
) -> dict[str, Any] | JSONResponse:
    """The answer, or the error of the job, which keeps its labels.

    The emulator answers with 200 for a job that failed, the service as its reason demands.
    https://cloud.google.com/bigquery/docs/error-messages
    """
    job = runner.catalog.get_job(project, answer["jobReference"]["jobId"])
    if job is None:  # a dry run
        return answer
    kept = {key: body[key] for key in ("maximumBytesBilled",) if key in body}
    query = {**(job.configuration.get("query") or {}), **kept}
    configuration = {**job.configuration, "query": query, "labels": body.get("labels") or {}}
    _keep(runner, project, job, configuration, body.get("query") or "", billed)
    if not job.error_result:
        return answer
    result = dict(job.error_result)
    hidden = _HIDDEN.match(result["message"])
    if hidden:  # nobody is denied anything here, and the service says so of what it does not have
        message = f"Not found: {hidden['what']} was not found in location US"
        result |= {"reason": "notFound", "message": message}
    return _refusal(result)


def _refusal(result: dict[str, Any]) -> JSONResponse:
    """The answer of HTTP to a query whose job failed."""
    code = _ERROR_REASON_TO_EXCEPTION.get(result["reason"], HTTPStatus.BAD_REQUEST)
    error = {
        "code": code,
        "message": result["message"],
        "errors": [{"domain": "global", **result}],
    }
    return JSONResponse({"error": error}, status_code=code)


async def _insert_stock(
    runner: JobRunner,
    project: str,
    request: Request,
    context: AppContext,
    caller: CallerIdentity,
) -> dict[str, Any]:
    """Run a query or an extract as the emulator does, once per id and with its labels kept."""
    body = await request.json()
    config = body.get("configuration") or {}
    reference = body.setdefault("jobReference", {})
    query = config.get("query") or {}
    if is_transaction(query.get("query") or ""):
        job_id = runner.claim(project, reference.get("jobId"))
        run = await runner.run(
            "QUERY",
            project,
            job_id,
            config,
            lambda run: run_transaction(run, runner, project, job_id, query),
        )
        return stock_jobs._build_job_response(project, job_id, run, config)  # noqa: SLF001
    if config.get("dryRun"):
        _allow(runner, project, query.get("query") or "")
        answer = await stock_jobs.insert_job(project, request, context, caller)
        answer["statistics"]["query"]["totalBytesProcessed"] = str(_billed(runner, query))
        return answer
    reference["jobId"] = runner.claim(project, reference.get("jobId"))
    _allow(runner, project, query.get("query") or "")
    billed = _billed(runner, query)
    try:
        require_within(query.get("maximumBytesBilled"), billed)
    except JobError as error:
        failed = _keep_failed(runner, project, reference["jobId"], config, error)
        return stock_jobs._build_job_response(project, failed.job_id, failed, config)  # noqa: SLF001
    with stamping_changes(runner, query.get("query") or ""):
        answer = await stock_jobs.insert_job(project, request, context, caller)
    job = runner.catalog.get_job(project, reference["jobId"])
    if job is not None:
        job = _keep(runner, project, job, config, query.get("query") or "", billed)
        return stock_jobs._build_job_response(project, job.job_id, job, config)  # noqa: SLF001
    return answer


def _reference(project: str, job_id: str) -> dict[str, str]:
    return {"projectId": project, "jobId": job_id, "location": "US"}


def _allow(runner: JobRunner, project: str, sql: str) -> None:
    """Answer 403 for a statement that the account may not run, 400 for one without its filter.

    The service makes a job of it that fails; clients get the same answer.
    """
    if is_transaction(sql):
        raise UnsupportedFeatureError("A transaction is emulated as a job that is inserted")
    try:
        check_statement(runner.access, runner.catalog, project, sql)
    except JobError as error:
        raise PermissionDeniedError(error.message) from error
    try:
        require_filters(runner.catalog, project, sql)
    except JobError as error:
        raise InvalidQueryError(error.message) from error


def _keep(  # noqa: PLR0917
    runner: JobRunner,
    project: str,
    job: JobMeta,
    configuration: dict[str, Any],
    sql: str,
    billed: int,
) -> JobMeta:
    """Keep a job with all that it was asked, what it billed, and whether policies were applied.

    https://cloud.google.com/bigquery/docs/managing-row-level-security#job_statistics
    """
    statistics = _with_bytes(job, billed)
    if protects_rows(runner.catalog, project, sql):
        statistics["rowLevelSecurityStatistics"] = {"rowLevelSecurityApplied": True}
    update = {"configuration": configuration, "statistics": statistics}
    kept = job.model_copy(update=update)
    runner.catalog.upsert_job(kept)
    return kept


def _with_bytes(job: JobMeta, billed: int) -> dict[str, Any]:
    """The statistics of a query with what it billed."""
    query = {**job.statistics.get("query", {}), "totalBytesBilled": str(billed)}
    return {**job.statistics, "query": query}
