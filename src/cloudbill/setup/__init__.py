"""Makes `.dlt/config.toml` from answers, and finds exports.

May import: disk, exports, providers, settings, store.
"""
