"""Text for people: tables, times, sizes, failures, and what an error means.

Pure.
May import: nothing.
"""
