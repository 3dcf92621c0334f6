"""Translate a Routing Table into the native maps of Postfix or the routers of Exim.

For a postmaster who moves, and for the adapters of these servers::

    records = parse_table(text)                      # raises TableError (line, what, what instead)
    result = translate(records, to="postfix", installation=Installation(main_domain="company.com"))
    result.files       # tuple of NativeFile(name, use, text), to be written as they are
    result.verdicts    # tuple of Verdict(record, outcome, reason): one a record, in order

``result.file("main.cf")`` is one of the files by its name.

Postfix: ``main.cf`` (parameters that name the maps below ``installation.folder``),
``router-aliases.regexp`` (virtual_alias_maps), ``router-domains.regexp`` (virtual_alias_domains),
``router-relay-domains.regexp`` (relay_domains), ``router-transport.regexp`` (transport_maps),
``router-refused.regexp`` (check_recipient_access for everybody), ``router-spam-traps.regexp``
(header_checks), ``router-relay.regexp`` (check_recipient_access after clients have been permitted),
and for hosts of a blacklist ``router-white-hole-redirect.regexp`` and
``router-white-hole-permit.regexp``. All of them are always there, in this order, empty where the
table needs none.

Exim: ``router-table.conf`` (routers, the first ones after ``begin routers``).

Guide 3.5.2, Router. The table is all that is translated: accounts, domains and lists are not.
"""

from conformance.translate.records import Record, TableError, parse_table
from conformance.translate.servers import SERVERS, translate
from conformance.translate.verdict import Installation, NativeFile, Outcome, Translation, Verdict

__all__ = [
    "SERVERS",
    "Installation",
    "NativeFile",
    "Outcome",
    "Record",
    "TableError",
    "Translation",
    "Verdict",
    "parse_table",
    "translate",
]
