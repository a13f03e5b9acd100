"""The sample bill of AWS.

Imports nothing else of ours but the schedule and the SQL of samples.
"""
