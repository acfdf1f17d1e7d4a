"""Crankshaft adapter."""
