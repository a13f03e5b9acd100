"""Which runs an export has delivered: manifests are found, read and cached.

May import `store`, `providers` and what is pure; knows no warehouse.
"""
