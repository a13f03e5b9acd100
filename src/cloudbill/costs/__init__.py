"""Money: exact sums by currency and day, and the queries that make them.

Pure; may import `sql` and the providers.
"""
