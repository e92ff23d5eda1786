"""What leaves by e-mail: an outbox, those who carry it, and the letters themselves."""
