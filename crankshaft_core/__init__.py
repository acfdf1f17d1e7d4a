"""Crankshaft core."""
