"""Fact tables: what happened, as atomic, definition-free, bitemporal rows."""
