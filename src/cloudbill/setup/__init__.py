"""Makes `.dlt/config.toml` from answers, and finds exports.

May import: exports, providers, settings, store.
"""
