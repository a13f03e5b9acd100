"""One month after the other: downloaded, replaced, reported, and stopped in good order.

Pure: stopping.
May import: costs, settings, spool, store, text, warehouses.
"""
