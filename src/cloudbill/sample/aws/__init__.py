"""The sample bill of AWS.

Pure: catalogue, columns.
May import: sample.
"""
