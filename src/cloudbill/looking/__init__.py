"""What is loaded, what came before, and whether it is right; reads only.

Pure: comparison, view_comparison.
May import: costs, exports, files, focus, ledger, loading, planning, providers, settings, store,
surveying, text, warehouses.
"""
