"""Which runs an export has delivered: manifests are found, read and cached.

Pure: limits, months.
May import: providers, settings, store, text.
"""
