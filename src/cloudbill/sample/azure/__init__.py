"""The sample bill of Azure.

Pure: catalogue, columns.
May import: sample.
"""
