"""DuckDB the warehouse: months replaced in one transaction.

May import: costs, files, planning, providers, retrying, settings, spool, store, warehouses.
"""
