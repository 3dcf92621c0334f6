"""Remote hosts: scripted actors that the server under test meets."""
