"""DuckDB the warehouse: months replaced in one transaction.

May import: costs, files, providers, retrying, settings, spool, store, warehouses.
"""
