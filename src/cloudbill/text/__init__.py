"""What people read and write: tables, times, sizes and failures as words.

Pure, and imports no other package of ours; only `errors` and `redaction` at the top.
"""
