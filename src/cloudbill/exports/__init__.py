"""Which runs an export has delivered: manifests found, read and remembered.

May import `store`, `providers` and what is pure; knows no warehouse.
"""
