"""Money: exact sums by currency and day, and the queries that make them.

Pure.
May import: providers.
"""
