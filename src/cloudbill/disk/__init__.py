"""This machine's disks: whether there is room, and files that are written in one step.

May import: text.
"""
