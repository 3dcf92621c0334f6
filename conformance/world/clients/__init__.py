"""Clients that talk to the server under test, raw and whole."""
