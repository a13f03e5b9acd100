"""BigQuery: months replaced by native load jobs that copy no data through the client.

May import `files`, `costs`, `store`; never DuckDB the warehouse.
"""
