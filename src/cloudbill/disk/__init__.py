"""This machine's disks: whether there is room, and what is to be said where there is none.

May import: text.
"""
