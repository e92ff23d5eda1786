"""The HTTP edge: schema in, service call, schema out. No SQL and no rule of care lives here."""
