"""The Command Line Interface: commands, their access rights, and their syntax."""
