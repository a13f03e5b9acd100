"""Months are downloaded, replaced, reported, and stopped in good order, as many at once as may be.

Pure: rivals, stopping.
May import: costs, disk, files, planning, settings, store, text, warehouses.
"""
