"""BigQuery: a month is replaced by one job, which reads the store itself where BigQuery can.

Pure: job_progress.
May import: costs, disk, files, planning, providers, settings, store, text, warehouses.
"""
