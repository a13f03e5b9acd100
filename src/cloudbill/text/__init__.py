"""Text for people: tables, times, sizes, failures, and what errors and exit codes mean.

Pure.
May import: nothing.
"""
