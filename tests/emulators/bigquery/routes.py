"""Routes that answer before the emulator's own."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from bqemulator.api.dependencies import AppContext, get_caller, get_context
from bqemulator.api.routes import jobs as stock_jobs
from bqemulator.row_access.identity import CallerIdentity
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from google.cloud.bigquery.job.base import _ERROR_REASON_TO_EXCEPTION

from emulators.bigquery.copying import run_copy
from emulators.bigquery.load import LoadSpec, run_load
from emulators.bigquery.partitions import stamping_changes

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
        with stamping_changes(runner, body.get("query") or ""):
            answer = await stock_jobs.query(project_id, request, context, caller)
        return _with_its_job(runner, project_id, body, answer)

    @router.get("/queries/{job_id}")
    async def results(  # noqa: PLR0917
        project_id: str,
        job_id: str,
        context: Context,
        maxResults: int = 10_000,  # noqa: N803
        startIndex: int = 0,  # noqa: N803
        pageToken: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        answer = stock_jobs.get_query_results(
            project_id, job_id, context, maxResults, startIndex, pageToken
        )
        if not maxResults:  # asks only whether the job is done; an empty page would end the rows
            answer = {key: answer[key] for key in answer.keys() - {"rows", "pageToken"}}
        return answer

    return router


def _with_its_job(
    runner: JobRunner, project: str, body: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any] | JSONResponse:
    """The answer, or the error of the job, which keeps its labels.

    The emulator answers with 200 for a job that failed, the service as its reason demands.
    https://cloud.google.com/bigquery/docs/error-messages
    """
    job = runner.catalog.get_job(project, answer["jobReference"]["jobId"])
    if job is None:  # a dry run
        return answer
    configuration = {**job.configuration, "labels": body.get("labels") or {}}
    runner.catalog.upsert_job(job.model_copy(update={"configuration": configuration}))
    if not job.error_result:
        return answer
    result = dict(job.error_result)
    hidden = _HIDDEN.match(result["message"])
    if hidden:  # nobody is denied anything here, and the service says so of what it does not have
        message = f"Not found: {hidden['what']} was not found in location US"
        result |= {"reason": "notFound", "message": message}
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
    if config.get("dryRun"):
        return await stock_jobs.insert_job(project, request, context, caller)
    reference["jobId"] = runner.claim(project, reference.get("jobId"))
    with stamping_changes(runner, (config.get("query") or {}).get("query") or ""):
        answer = await stock_jobs.insert_job(project, request, context, caller)
    job = runner.catalog.get_job(project, reference["jobId"])
    if job is not None:
        runner.catalog.upsert_job(job.model_copy(update={"configuration": config}))
    return answer
