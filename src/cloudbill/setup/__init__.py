"""From answers to `.dlt/config.toml`.

May import `store`, `providers`, `settings` and `exports`.
"""
