"""Uploads: https://cloud.google.com/bigquery/docs/reference/api-uploads .

The emulator's sessions hold the bytes. What becomes of them is a load job like any other, under
the id that the client gave it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from bqemulator.api.dependencies import AppContext, get_context
from bqemulator.api.routes import jobs as stock_jobs
from bqemulator.api.routes import upload as stock
from bqemulator.domain.errors import InvalidQueryError, ValidationError
from bqemulator.jobs.upload_session_manager import ContentRangeError, UploadSession
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from emulators.bigquery.load import LoadSpec, run_load
from emulators.bigquery.sources import Source

if TYPE_CHECKING:
    from emulators.bigquery.jobs import JobRunner

Context = Annotated[AppContext, Depends(get_context)]
_BOUNDARY = re.compile(r'boundary="?([^";]+)')
_PARTS = 2
_PATH = "/upload/bigquery/v2/projects/{project_id}/jobs"


def upload_routes(runner: JobRunner) -> APIRouter:
    """Multipart and resumable uploads."""
    router = APIRouter()

    @router.post(_PATH)
    async def begin(
        project_id: str,
        request: Request,
        context: Context,
        uploadType: str = "",  # noqa: N803
    ) -> Response:
        if uploadType == "multipart":
            return await _multipart(runner, project_id, request, context)
        if uploadType != "resumable":
            raise ValidationError(f"Unsupported uploadType: {uploadType!r}")
        job = await request.json()
        _check(runner, project_id, job)
        session = _sessions(context).create(project_id, job)
        location = str(request.url.include_query_params(upload_id=session.session_id))
        return Response(headers={"Location": location, "X-GUploader-UploadID": session.session_id})

    @router.put(_PATH)
    async def resume(
        project_id: str, request: Request, context: Context, upload_id: str = ""
    ) -> Response:
        sessions = _sessions(context)
        content_range = request.headers.get("content-range")
        if content_range and content_range.strip().startswith("bytes */"):
            return stock._resume_incomplete_response(sessions.status(upload_id))  # noqa: SLF001
        body = await request.body()
        try:
            session, complete = sessions.append(upload_id, body, content_range=content_range)
        except ContentRangeError as error:
            raise InvalidQueryError(str(error)) from error
        if not complete:
            return stock._resume_incomplete_response(session)  # noqa: SLF001
        return await _load(runner, project_id, session, context)

    return router


def _sessions(context: AppContext) -> Any:
    return context.upload_sessions


def _check(runner: JobRunner, project: str, job: dict[str, Any]) -> None:
    """Refuse before any byte is sent what would be refused after the last."""
    LoadSpec.of(stock._load_configuration_from_envelope(job)["load"])  # noqa: SLF001
    runner.refuse_known(project, (job.get("jobReference") or {}).get("jobId"))


async def _multipart(
    runner: JobRunner, project: str, request: Request, context: AppContext
) -> Response:
    """Job and bytes in one request."""
    job, data = _parts(request.headers.get("content-type", ""), await request.body())
    _check(runner, project, job)
    session = _sessions(context).create(project, job)
    session.staging_path.write_bytes(data)
    return await _load(runner, project, session, context)


def _parts(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The job and the bytes of a ``multipart/related`` body."""
    match = _BOUNDARY.search(content_type)
    parts = body.split(b"--" + match[1].encode()) if match else []
    if len(parts) != _PARTS + 2:  # what stands before the first boundary and after the last
        raise InvalidQueryError("A multipart upload has exactly two parts")
    job, data = (part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1])
    return json.loads(job), data


async def _load(
    runner: JobRunner, project: str, session: UploadSession, context: AppContext
) -> Response:
    """Run the load job of a complete upload."""
    job = session.configuration
    config = job["configuration"]
    job_id = runner.claim(project, (job.get("jobReference") or {}).get("jobId"))
    source = Source(uri=f"upload:{job_id}", path=Path(session.staging_path))
    try:
        done = await runner.run(
            "LOAD", project, job_id, config, lambda run: run_load(run, config["load"], source)
        )
    finally:
        _sessions(context).remove(session.session_id)
    return JSONResponse(stock_jobs._build_job_response(project, job_id, done, config))  # noqa: SLF001
