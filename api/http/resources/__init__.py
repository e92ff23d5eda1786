"""One module per resource: a table of its commands, its reads, their examples."""
