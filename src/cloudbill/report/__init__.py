"""The report: one page drawn from the warehouse, with the costs and how far to trust them.

    collecting ──SourceReport──▶ document (folding, tags, trust) ──JSON──▶ page
    viewing ────ViewReport────▶

Only `collecting` and `viewing` read anything, bills and the views over them; `standing` says what a
person should look at, by the same facts as `cloudbill status`; only `page` knows HTML. The page
itself sums amounts, exactly, so filters work without a server.

Pure: folding, model, page_json, tags, trust, trust_json, view_json,
view_model.
May import: costs, focus, ledger, loading, looking, planning, providers, settings, surveying,
text, warehouses.
"""

from __future__ import annotations

__all__: list[str] = []
