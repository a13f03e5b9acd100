"""From answers to `.dlt/config.toml`.

May import: disk, exports, providers, settings, store.
"""
