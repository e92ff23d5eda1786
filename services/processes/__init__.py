"""Processes: what happens by itself because something else happened, or because its time has come."""
