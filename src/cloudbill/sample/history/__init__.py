"""Simulated deliveries of many months.

May import: sample, sample/azure.
"""
