"""How a job of BigQuery fails."""

from __future__ import annotations


class JobError(Exception):
    """Ends a job as DONE with an ``errorResult``, over an HTTP answer of 200.

    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobStatus
    The reasons are those of https://cloud.google.com/bigquery/docs/error-messages
    """

    def __init__(self, reason: str, message: str, location: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.location = location

    def to_rest(self) -> dict[str, str]:
        """The ``ErrorProto`` of the job's status."""
        proto = {"reason": self.reason, "message": self.message}
        return proto if self.location is None else {**proto, "location": self.location}


def unreadable(message: str, uri: str) -> JobError:
    """The error of a job whose source file cannot be taken as it is."""
    text = f"Error while reading data, error message: {message} File: {uri}"
    return JobError("invalid", text, uri)
