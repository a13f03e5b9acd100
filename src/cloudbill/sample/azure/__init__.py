"""The sample bill of Azure.

Imports nothing else of ours but the schedule and the SQL of samples.
"""
