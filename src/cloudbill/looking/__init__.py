"""What is loaded, what came before, and whether it is right; reads only.

Pure: comparison.
May import: costs, exports, files, focus, focusing, ledger, loading, planning, settings, store,
surveying, text, warehouses.
"""
