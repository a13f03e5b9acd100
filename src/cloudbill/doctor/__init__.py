"""Checks what a load depends on: machine, store, warehouse, ledger, deliveries.

May import anything but `cli`, `looking` and `report`; reads only.
"""
