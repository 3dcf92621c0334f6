"""Small faults for the reference server, and the proof that the scenarios notice each of them."""
