"""Loads the billing exports of the clouds into your own warehouse."""
