"""This machine's disks: whether there is room, files that are written in one step, and faults.

May import: text.
"""
