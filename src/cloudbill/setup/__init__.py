"""Makes `.dlt/config.toml` from answers, and finds exports.

May import: disk, providers, settings, store, text.
"""
