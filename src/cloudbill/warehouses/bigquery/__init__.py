"""BigQuery: a month is replaced by a native load job that copies no data through the client.

Pure: job_progress.
May import: costs, disk, files, planning, providers, retrying, settings, store, warehouses.
"""
