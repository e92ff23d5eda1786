"""Who may do what: users, API keys, and the one table of role x operation."""
