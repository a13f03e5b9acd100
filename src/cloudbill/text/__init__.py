"""Text for people: tables, times, sizes and failures.

Pure.
May import: nothing.
"""
