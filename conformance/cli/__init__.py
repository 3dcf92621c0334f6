"""The ``mailproof`` command."""
