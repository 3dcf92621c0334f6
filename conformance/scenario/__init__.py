"""Scenarios as data: the model, the YAML loader, dialogues, rows, the catalogue, the schema."""
