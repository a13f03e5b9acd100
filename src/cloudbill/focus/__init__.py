"""The FOCUS views: every bill of a dataset in one shape, made from mapping data.

`data/` says for each provider how each column is filled, and which faults are counted; `columns`
and `mapping` read that, `rendering` writes an expression for one table in the SQL of a warehouse,
`branches` the query of one source, `views` the views of a dataset, and `counting` says which of two
sources with the same charges counts. `keeping` makes them as they should be, in a warehouse.

Pure: branches, columns, counting, faults, found, left_over, mapping, rendering, views.
May import: costs, ledger, providers, settings, warehouses.
"""
