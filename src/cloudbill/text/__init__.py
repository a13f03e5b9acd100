"""Text for people: tables, times, sizes, paths, failures, what errors mean, and how to install.

Pure.
May import: nothing.
"""
