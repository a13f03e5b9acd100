"""Deliveries of many months, simulated.

Imports nothing else of ours but the samples.
"""
