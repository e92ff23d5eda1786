"""The dashboards' reports computed row by row: slow, plain, and what the columns must equal."""
