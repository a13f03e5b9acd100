"""DuckDB the warehouse: months replaced in one transaction.

May import `files`, `costs`, `store`; never BigQuery.
"""
