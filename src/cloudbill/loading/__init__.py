"""One month after the other: downloaded, replaced, reported, and stopped in good order.

Pure: rivals, stopping.
May import: costs, disk, planning, settings, store, text, warehouses.
"""
