"""What the parts of a run contain, read with DuckDB or pyarrow for any warehouse.

May import `store`, `providers`, `costs` and what is pure; knows no warehouse.
"""
