"""What is loaded, what came before, and whether it is right; answers and copies of it.

It only reads warehouses and stores; `export_files` writes what `cloudbill export` is to write.

Pure: comparison, view_comparison.
May import: costs, disk, exports, files, focus, ledger, loading, planning, providers, settings,
store, surveying, text, warehouses.
"""
