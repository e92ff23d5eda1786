"""Measured, not claimed: every figure is a ratio against a floor or a peer in the same run.

`make bench` runs all of it and writes docs/performance.md with the machine it ran on. Nothing here is a
test and nothing here weakens durability: PostgreSQL runs with its defaults (fsync, synchronous_commit on),
SQLite with synchronous=FULL, for us and for the peers alike.
"""
