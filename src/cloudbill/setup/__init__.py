"""From answers to `.dlt/config.toml`.

May import: exports, providers, settings, store.
"""
