"""This machine's disks: room, files that are written in one step, faults, the installation.

May import: text.
"""
