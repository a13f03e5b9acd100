"""What people read and write: tables, times, sizes and failures as words.

Pure.
May import: nothing.
"""
