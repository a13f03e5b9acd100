"""Money: exact sums by currency and day, and the queries for them.

Pure.
May import: providers.
"""
