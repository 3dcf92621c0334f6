r"""How a routing record is written as an Exim router: conditions, data, and the routers around.

Regular expressions stand between ``\N`` and ``\N``, where Exim expands nothing; what comes from an
address is put through ``quote_local_part``, so that no local part turns into a file or a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from conformance.translate.destination import Destination, Kind
from conformance.translate.records import Record

__all__ = ["ACL", "HEAD", "TAIL", "captured", "literal", "local_data", "matching", "router"]

_PLAIN = re.compile(r"[\w.-]+")

HEAD = r"""# Routing Table. The Main Domain is MAIN_DOMAIN.
# Needs the transport remote_smtp, and in the main part:  allow_domain_literals = true
# and a domainlist local_domains.

router_table_blacklisted:
  # A host of the blacklist reaches only what the records for the domain blacklisted name.
  driver = redirect
  no_verify_sender
  condition = ${if and{{def:acl_c_blacklisted}{!def:parent_domain}}}
  caseful_local_part
  data = ${quote_local_part:$local_part%$domain}@blacklisted

router_table_path:
  # A path through the Main Domain is unwrapped.
  driver = redirect
  domains = MAIN_DOMAIN
  condition = ${if match{$local_part}{\N^.+%[^%]+$\N}}
  caseful_local_part
  data = ${sg{$local_part}{\N^(.+)%([^%]+)$\N}{\$1@\$2}}
"""

TAIL = r"""
router_table_null:
  driver = redirect
  condition = ${if or{{eqi{$domain}{null}}\
    {and{{eqi{$domain}{@@MAIN@@}}{match{$local_part}{\N(?i)^(null|mailer-daemon)$\N}}}}}}
  address_data = relay=yes $address_data
  data = :blackhole:

router_table_error:
  driver = redirect
  condition = ${if or{{match{$domain}{\N(?i)^(error|blacklisted)$\N}}\
    {and{{eqi{$domain}{@@MAIN@@}}{match{$local_part}{\N(?i)^(error|blacklisted)$\N}}}}}}
  allow_fail
  data = :fail: Blacklisted Address

router_table_spamtrap:
  driver = redirect
  domains = @@MAIN@@
  local_parts = spamtrap
  allow_fail
  address_data = spamtrap=yes $address_data
  data = :fail: Blacklisted Address (a spam trap)

router_table_smtp:
  # host.smtp, host.26.smtp: that host. It hears the local part, its last percent sign an at sign;
  # without one it hears its own name as the domain: Exim knows no recipient without any.
  driver = redirect
  domains = *.smtp
  caseful_local_part
  address_data = host=${if match{$domain}{\N^(.+)\.(\d+)\.smtp$\N}{$1::$2}\
    {${sg{$domain}{\N\.smtp$\N}{}}/MX}} $address_data
  data = ${if match{$local_part}{\N^(.+)%([^%]+)$\N}\
    {${quote_local_part:$1}@$2}\
    {${quote_local_part:$local_part}@${sg{$domain}{\N(\.\d+)?\.smtp$\N}{}}}}
  redirect_router = router_table_host

router_table_here:
  # name.here: that local domain, past the table.
  driver = redirect
  domains = *.here
  caseful_local_part
  allow_fail
  data = ${if match_domain{${sg{$domain}{\N\.here$\N}{}}}{+local_domains}\
    {${quote_local_part:$local_part}@${sg{$domain}{\N\.here$\N}{}}}\
    {:fail: there is no such local domain}}
  redirect_router = router_table_end

router_table_local:
  # account.local: that account of the Main Domain, whatever the local part.
  driver = redirect
  domains = *.local
  caseful_local_part
  headers_add = X-Real-To: $local_part
  data = ${sg{$domain}{\N\.local$\N}{}}@@@MAIN@@
  redirect_router = router_table_end

router_table_domain:
  # rest%account@name.domain: that account of the domain.
  driver = redirect
  domains = *.domain
  caseful_local_part
  headers_add = ${if match{$local_part}{\N^(.*)%\N}{X-Real-To: $1}}
  data = ${sg{$local_part}{\N^.*%\N}{}}@${sg{$domain}{\N\.domain$\N}{}}
  redirect_router = router_table_end

router_table_host:
  # Only addresses that a record sends to a certain host.
  driver = manualroute
  condition = ${extract{host}{$address_data}{yes}{no}}
  # A host without MX records is taken by its address: /MX alone would not find it.
  route_data = ${if match{${extract{host}{$address_data}}}{\N^(.*)/MX$\N}\
    {${lookup dnsdb{defer_never,mx=$1}{$1/MX}{$1}}}{${extract{host}{$address_data}}}}
  transport = remote_smtp
  host_find_failed = fail
  no_more

router_table_end:
  # Addresses that a record sends past the table begin here; nothing else happens.
  driver = redirect
  condition = no
  data = :defer:
"""

ACL = r"""# In acl_smtp_rcpt, after clients and authenticated senders have been accepted:
#   require acl = router_table_rcpt
# in acl_smtp_data, for the prefix Relay: and for spam traps:
#   require acl = router_table_data
# and where a host is blacklisted:  warn hosts = ...   set acl_c_blacklisted = yes

router_table_rcpt:
  deny    !verify = recipient
          set acl_m_spamtrap = ${if or{{def:acl_m_spamtrap}\
            {bool{${extract{spamtrap}{$address_data}{yes}{no}}}}}{yes}{}}
  accept  condition = ${extract{relay}{$address_data}{yes}{no}}
  accept  domains = +local_domains
  deny    message = relaying is not permitted

router_table_data:
  deny    condition = ${if eq{$acl_m_spamtrap}{yes}}
          message = Blacklisted Address
  accept
"""


def literal(text: str) -> str:
    r"""Return text that Exim's expansion leaves as it is."""
    return rf"\N{text}\N" if re.search(r"[$\\{}]", text) else text


def matching(record: Record, main: str) -> list[tuple[str, str]]:
    """Return the options that make a router take what the left part describes."""
    left = record.left
    options = [("domains", _domains(left.domain or main, main))]
    if left.local is None:
        return [*options, ("caseful_local_part", "")]
    if _PLAIN.fullmatch(left.local):
        return [*options, ("local_parts", left.local.lower())]
    pattern = regex(left.local)
    return [
        *options,
        ("caseful_local_part", ""),
        ("condition", rf"${{if match{{$local_part}}{{{pattern}}}}}"),
    ]


def _domains(picture: str, main: str) -> str:
    if _PLAIN.fullmatch(picture):
        return picture.lower()
    # The Main Domain is none for domain records, and a wildcard could describe it.
    before, star, after = picture.lower().partition("*")
    anything = ".*" if star else ""
    return rf"! {main} : \N^{re.escape(before)}{anything}{re.escape(after)}$\N"


def regex(picture: str) -> str:
    before, star, after = picture.partition("*")
    group = "(.*)" if star else ""
    return rf"\N(?i)^{re.escape(before)}{group}{re.escape(after)}$\N"


def local_data(record: Record, main: str) -> str:
    """Return the new address, as the value of ``data``."""
    destination = record.destination
    made = f"{_new_local(destination)}@{_new_domain(destination, main)}"
    return made if "$1" not in made else captured(record, made)


def captured(record: Record, made: str) -> str:
    """Return a text in which ``$1`` is what the wildcard has matched."""
    left = record.left
    variable = "$domain" if left.local is None else "$local_part"
    pattern = regex(left.domain if left.local is None else left.local)
    return rf"${{if match{{{variable}}}{{{pattern}}}{{{made}}}fail}}"


def _new_local(destination: Destination) -> str:
    local = destination.local
    if local is None:
        path = f"%{_star(destination.path)}" if destination.path else ""
        return f"${{quote_local_part:$local_part{path}}}"
    if local.startswith('"'):
        return literal(local)
    text = _star(local.partition("#")[0])
    return f"${{quote_local_part:{text}}}" if "$1" in text else text


def _new_domain(destination: Destination, main: str) -> str:
    if destination.kind is Kind.HOST and not destination.bare:
        return destination.host
    return _star(destination.name) or main


def _star(text: str) -> str:
    return literal(text).replace("*", r"\N$1\N" if literal(text) != text else "$1")


def router(name: str, comment: str, options: Iterable[tuple[str, str]]) -> str:
    """Return one redirect router."""
    lines = [f"{name}:", f"  # {comment}", "  driver = redirect"]
    lines += [f"  {key} = {value}" if value else f"  {key}" for key, value in options]
    return "\n".join(lines) + "\n"
