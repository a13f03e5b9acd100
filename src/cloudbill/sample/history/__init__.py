"""Deliveries of many months, simulated.

May import: sample, sample/azure.
"""
