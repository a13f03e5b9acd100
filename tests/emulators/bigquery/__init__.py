"""BigQuery: bqemulator, with the documented semantics of load and copy jobs laid over it.

Also documented, or recorded by users of the service, and done here: expirations; partitions that
are listed late; transactions, of which readers see all or nothing; row access policies and policy
tags, and what takes them away or asks for rights; demanded filters of partitions; etags (412); one
account, whose permissions tests take away by name.

What it does not do, so that no test proves it:

- IAM beyond the permissions that `access.py` names, nor roles, quotas, locations, service
  perimeters, or what a query bills.
- Transactions that are cancelled because another one changes the same table: jobs that write come
  one after the other here. Nor time travel, sessions, or temporary tables.
- `DROP ALL ROW ACCESS POLICIES`, the refusal to drop the last policy, the delay until a policy is
  applied, and tabledata.list, which needs the TRUE filter. Policies with a subquery. A policy that
  names nobody shows its rows to everybody here, on the service to nobody.
- WRITE_TRUNCATE of a partition takes policies and tags of the whole table, which is the strict way
  to read the documentation; WRITE_TRUNCATE_DATA of a partition is refused. Nobody has seen either.
- Data masking: a column with a policy tag or a data policy is read or refused. Tags of nested
  columns.
- Queries that write a destination table, views that are authorised, and streaming. The columns of a
  view, unless a test asks for them (`knows_columns_of_views`).
- Rates at which partitions may change, and Parquet that is nested.
"""

import logging

import structlog

# Before the emulator is imported: it logs at import, and it would take pytest's handlers away.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

from emulators.bigquery.errors import JobError  # noqa: E402
from emulators.bigquery.server import BigQueryEmulator  # noqa: E402

__all__ = ["BigQueryEmulator", "JobError"]
