"""The reference mail server: the proof that mailproof's scenarios can be passed."""
