"""Which runs an export has delivered: manifests found, read and remembered.

Pure: limits.
May import: providers, settings, store.
"""
