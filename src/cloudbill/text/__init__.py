"""Text for people: tables, times, sizes, paths, failures, and what errors and exit codes mean.

Pure.
May import: nothing.
"""
