"""Adapters: servers of other families, run unchanged and configured in their own language.

Each server has a package of its own here and is found as an entry point of ``conformance.targets``;
nothing outside this package knows the name of any. What they share:

- :mod:`.site` reads a scenario's ``given``: all that it asks for has to be taken, or the scenario
  is not applicable;
- :mod:`.target` is the common base of their targets and sessions: prepare, start, rest, end;
- :mod:`.sandbox` and :mod:`.launcher` run programs where they cannot touch this computer's own
  configuration, users and spools; :mod:`.syslog` hears what they log;
- :mod:`.dovecot` gives access by POP and IMAP, and SASL, to servers that have none;
- :mod:`.rest` finds out whether a server is at rest that cannot say so.
"""
