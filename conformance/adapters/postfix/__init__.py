"""The adapter for Postfix, with Dovecot for access and SASL.

- :mod:`.target` puts a session together; :mod:`.session` knows when Postfix is at rest and moves
  its clock;
- :mod:`.config` is what the others write into: parameters, tables, services of master.cf;
- :mod:`.names` domains, accounts, aliases, forwarders, the Routing Table;
- :mod:`.mail_to_all` the address for all accounts of a domain;
- :mod:`.receiving`, :mod:`.restrictions`, :mod:`.listeners` what smtpd(8) does;
- :mod:`.sending` what qmgr(8) and smtp(8) do.

Each reads its part of a site; what Postfix cannot do raises NotApplicable with the reason.
"""
