"""The adapter for Exim, with Dovecot for access and SASL.

- :mod:`.target` puts a session together; :mod:`.session` knows when Exim is at rest;
- :mod:`.config` writes the configuration's main part and puts the parts together;
- :mod:`.routers` the routers: the Routing Table (:mod:`conformance.translate`), then the domains,
  accounts, aliases and forwarders, then what goes out;
- :mod:`.access` the access control lists: who is a client, who is blacklisted, what is refused;
- :mod:`.delivery` transports, retry rules, authenticators;
- :mod:`.route` answers Route by Exim's own address test.

Each reads its part of a site; what Exim cannot do raises NotApplicable with the reason.
"""
