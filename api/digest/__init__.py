"""The weekly digest: last week against the one before, by e-mail, each line with the way to check it."""
