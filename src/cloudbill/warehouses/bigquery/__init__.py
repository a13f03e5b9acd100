"""BigQuery: months replaced by native load jobs that copy no data through the client.

Pure: job_progress.
May import: costs, files, providers, retrying, settings, spool, store, warehouses.
"""
