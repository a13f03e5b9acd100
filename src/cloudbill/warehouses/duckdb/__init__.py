"""DuckDB as the warehouse: a month is replaced in one transaction.

May import: costs, disk, files, planning, providers, settings, store, text, warehouses.
"""
