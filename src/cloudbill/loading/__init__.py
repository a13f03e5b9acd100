"""One month after the other: fetched, replaced, told of and stopped in good order.

May import `planning`, `ledger`, `store`, `exports` and the contract of `warehouses`.
"""
