"""DuckDB as the warehouse: a month is replaced in one transaction.

May import: costs, disk, files, focus, planning, providers, retrying, settings, store,
warehouses.
"""
