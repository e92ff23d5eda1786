"""The fact rows as columns in memory: followed by position, cut like the tables, folded by whole arrays.

Nothing here is a result: a column holds what the fact table's column holds. See docs/adr on the dashboards' speed.
"""
