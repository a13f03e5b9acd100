"""BigQuery: bqemulator, with the documented semantics of load and copy jobs laid over it."""

import logging

import structlog

# Before the emulator is imported: it logs at import, and it would take pytest's handlers away.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

from emulators.bigquery.errors import JobError  # noqa: E402
from emulators.bigquery.server import BigQueryEmulator  # noqa: E402

__all__ = ["BigQueryEmulator", "JobError"]
