"""Metrics: pure functions from facts to figures, by named and versioned definitions."""
