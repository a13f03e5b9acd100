"""One month after the other: fetched, replaced, told of and stopped in good order.

Pure: stopping.
May import: costs, settings, spool, store, text, warehouses.
"""
