"""Servers under test: what the harness asks of one, and the ready-made kinds."""
