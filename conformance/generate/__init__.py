"""Families of scenarios, generated where the documents give a rule rather than an example."""
