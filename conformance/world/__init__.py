"""The mail world around a server: network plans, DNS, remote hosts, clients, certificates."""
