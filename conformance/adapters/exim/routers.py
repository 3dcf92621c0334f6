"""The routers: the Routing Table, then what the documents' modules do.

Exim asks them in this order, and an address that one of them changes begins again with the first.
The relay marker and whether an address is local travel in ``$address_data`` to the ACL. With the
macro ``ROUTE_ONLY`` the last routers name the module and its queue instead of delivering
(:mod:`.route`). While recipients are verified nothing is asked of the DNS: the SMTP module takes
every name with a dot (Guide 3.5.2, SMTP Module, Routing).
"""

from __future__ import annotations

import re

from conformance.adapters.exim.tables import ACCOUNTS, ALIASES, FORWARDERS, login_name
from conformance.adapters.site import Site, SiteDomain
from conformance.targets.base import NotApplicable
from conformance.translate import Installation, TableError, parse_table, translate

__all__ = ["routers"]

_KEY = "${lc:$local_part}@$domain"


def routers(site: Site) -> str:
    """Return all routers. Raises NotApplicable for a table that is wrong."""
    try:
        records = parse_table(site.router)
    except TableError as error:
        raise NotApplicable(f"the Routing Table has a line that is no record: {error}") from None
    table = translate(
        records,
        to="exim",
        installation=Installation(
            main_domain=site.main_domain,
            local_domains=tuple(domain.name for domain in site.domains),
        ),
    )
    text = table.file("router-table.conf").text.replace("router_table_host:\n", _HOST, 1)
    # What goes past the table goes past them.
    text = text.replace("router_table_end:\n", f"{_all_domains(site)}\nrouter_table_end:\n", 1)
    parts = "\n".join(
        [
            text,
            _addresses(site),
            _aliases(site),
            _non_qualified(site),
            *(_domain(number, site, domain) for number, domain in enumerate(site.domains)),
            _remote(site),
        ]
    )
    field = site.settings.text("LOCAL", "EnvelopeRecipientsField", "X-Real-To")
    parts = parts.replace("X-Real-To:", f"{field}:")
    # Port 465 is TLS from the first octet.
    at_once = "${if match{${extract{host}{$address_data}}}{::465}{remote_smtps}{remote_smtp}}"
    head, send, tail = parts.partition("router_table_host_send:")
    return head + send + tail.replace("transport = remote_smtp\n", f"transport = {at_once}\n", 1)


def _block(name: str, *lines: str) -> str:
    return "\n".join([f"{name}:", *(f"  {line}" for line in lines)]) + "\n"


_HOST = r"""router_table_host:
.ifdef ROUTE_ONLY
  driver = redirect
  allow_fail
  data = :fail: route: SMTP \
    ${sg{${sg{${extract{host}{$address_data}}}{/MX}{}}}{::}{:}} $local_part@$domain
.else
  driver = accept
  verify_only
.endif
  condition = ${extract{host}{$address_data}{yes}{no}}
  caseful_local_part

router_table_host_send:
"""


def _addresses(site: Site) -> str:
    """Domain parts that are IP addresses (Guide 3.5.2, Router, Routing by IP Addresses)."""
    own = dict.fromkeys(site.addresses, site.main_domain)
    for domain in site.domains:
        if not domain.is_main:
            own.update(dict.fromkeys(domain.addresses, domain.name))
        else:
            own.update(dict.fromkeys(domain.addresses, site.main_domain))
    blocks = [
        _block(
            "bare_address",
            "driver = redirect",
            r"domains = \N^\d+\.\d+\.\d+\.\d+$\N",
            "caseful_local_part",
            "data = ${quote_local_part:$local_part}@[$domain]",
        )
    ]
    blocks += [
        _block(
            f"own_address_{number}",
            "driver = redirect",
            rf"domains = \N^\[{re.escape(address)}\]$\N",
            "caseful_local_part",
            f"data = ${{quote_local_part:$local_part}}@{name}",
        )
        for number, (address, name) in enumerate(own.items())
    ]
    return "\n".join(blocks)


def _aliases(site: Site) -> str:
    """Domain aliases."""
    return "\n".join(
        _block(
            f"domain_alias_{number}",
            "driver = redirect",
            f"domains = {alias.lower()}",
            "caseful_local_part",
            f"data = ${{quote_local_part:$local_part}}@{domain.name.lower()}",
        )
        for number, (alias, domain) in enumerate(
            (alias, domain) for domain in site.domains for alias in domain.aliases
        )
    )


def _all_domains(site: Site) -> str:
    """All-Domain Aliases, and ``alldomains`` of the Main Domain."""
    table = site.settings.value("LOCAL", "AllDomainAliases", {})
    blocks = [
        _block(
            f"all_domain_alias_{number}",
            "driver = redirect",
            "domains = +local_domains",
            f"local_parts = {name.lower()}",
            "address_data = relay=yes $address_data",
            f"data = {address if '@' in address else f'{address}@{site.main_domain}'}",
        )
        for number, (name, address) in enumerate(table.items())
    ]
    main = next(domain for domain in site.domains if domain.is_main)
    condition = _may_send_to_all(site, main)
    if condition:
        takers = [each for domain in site.domains for each in _takers(site, domain)]
        blocks.append(
            _block(
                "all_domains",
                "driver = redirect",
                f"domains = {main.name.lower()}",
                "local_parts = alldomains",
                f"condition = {condition}",
                "address_data = relay=yes $address_data",
                f"data = {', '.join(takers)}",
                "redirect_router = router_table_end",
            )
        )
    return "\n".join(blocks)


def _takers(site: Site, domain: SiteDomain) -> list[str]:
    """Return who takes mail to all, if anybody may send it."""
    # Asked for in any case: what a domain wishes and nobody takes is not applicable.
    takers = domain.takers_of_mail_to_all()
    return takers if _may_send_to_all(site, domain) else []


def _administrators(site: Site, domain: SiteDomain) -> list[str]:
    """Return who may administer the domain: with rights in it, or with rights for all domains."""
    return [
        f"{account.name.lower()}@{each.name.lower()}"
        for each in site.domains
        for account in each.accounts
        if account.administers(own=each is domain)
    ]


def _may_send_to_all(site: Site, domain: SiteDomain) -> str:
    """Return the condition for mail to all of a domain; empty: nobody may send it."""
    action = domain.settings.text("Domain", "MailToAllAction", "nobody").lower()
    administrators = ":".join(_administrators(site, domain))
    login = login_name(site)
    conditions = {
        "nobody": "",
        "anybody": "yes",
        "clients": "${if def:acl_c_client}",
        "authenticated users": "${if def:authenticated_id}",
        "authenticated domain users": (
            f"${{if or{{{{match{{{login}}}{{\\N@{re.escape(domain.name.lower())}$\\N}}}}"
            f"{{inlist{{{login}}}{{{administrators}}}}}}}}}"
        ),
        "authenticated administrator": (f"${{if inlist{{{login}}}{{{administrators}}}}}"),
    }
    if action not in conditions:
        raise NotApplicable(f"domain {domain.name}: MailToAllAction: {action} is not understood")
    return conditions[action]


def _non_qualified(site: Site) -> str:
    suffix = site.settings.text("Router", "NonQualifiedSuffix")
    if not site.settings.flag("Router", "AddToNonQualified"):
        return ""
    return _block(
        "non_qualified",
        "driver = redirect",
        r"domains = ! +local_domains : \N^[^.\[]+$\N",
        "caseful_local_part",
        f"data = ${{quote_local_part:$local_part}}@$domain.{suffix}",
    )


def _domain(number: int, site: Site, domain: SiteDomain) -> str:
    """Aliases, forwarders and accounts of a domain, and names that are none of them."""
    name = domain.name.lower()
    here = f"domains = {name}"
    blocks = [
        _block(
            f"bang_{number}",
            "driver = redirect",
            here,
            r"condition = ${if match{$local_part}{\N^[^!]+!.+$\N}}",
            "caseful_local_part",
            # a!b!user: the names in reverse with percent signs, the last of which is the at sign.
            r"data = ${sg{${reduce{<! $local_part}{}{$item${if eq{$value}{}{}{%$value}}}}}"
            r"{\N^(.*)%([^%]+)$\N}{\$1@\$2}}",
        )
        if domain.is_main
        else "",
        _block(
            f"account_alias_{number}",
            "driver = redirect",
            here,
            f"data = ${{lookup{{{_KEY}}}lsearch{{{ALIASES}}}}}",
        ),
        _block(
            f"forwarder_{number}",
            "driver = redirect",
            here,
            f"address_data = ${{lookup{{{_KEY}}}lsearch{{{FORWARDERS}}}"
            "{relay=yes $address_data}fail}",
            f"data = ${{lookup{{{_KEY}}}lsearch{{{FORWARDERS}}}}}",
        ),
        _all(number, site, domain),
        _mailbox(number, site, domain),
        _detail(number, site, domain),
        _account(number, domain),
        _unknown(number, domain),
    ]
    return "\n".join(block for block in blocks if block)


def _account(number: int, domain: SiteDomain) -> str:
    queue = "$local_part" if domain.is_main else "$local_part@$domain"
    lookup = f"${{lookup{{{_KEY}}}lsearch{{{ACCOUNTS}}}{{yes}}{{no}}}}"
    return (
        f".ifdef ROUTE_ONLY\nroute_account_{number}:\n  driver = redirect\n"
        f"  domains = {domain.name.lower()}\n"
        f"  condition = {lookup}\n  allow_fail\n"
        f"  data = :fail: route: LOCAL {queue} $original_local_part\n.endif\n\n"
    ) + _block(
        f"account_{number}",
        "driver = accept",
        f"domains = {domain.name.lower()}",
        f"condition = {lookup}",
        "address_data = local=yes $address_data",
        "transport = local_delivery",
    )


def _all(number: int, site: Site, domain: SiteDomain) -> str:
    condition, takers = _may_send_to_all(site, domain), _takers(site, domain)
    for account in domain.accounts:
        account.settings.value("Account", "MailToAll")
    if not condition:
        return ""
    return _block(
        f"all_{number}",
        "driver = redirect",
        f"domains = {domain.name.lower()}",
        "local_parts = all",
        # Who may not send to all gets a report.
        f"condition = ${{if !eq{{$verify_mode}}{{}}{{yes}}{{{condition}}}}}",
        "address_data = local=yes $address_data",
        f"data = {', '.join(takers)}",
        "redirect_router = router_table_end",
    )


def _mailbox(number: int, site: Site, domain: SiteDomain) -> str:
    """``mailbox#account`` (Direct Mailbox Addressing)."""
    if not site.settings.flag("LOCAL", "DirectMailbox"):
        return ""
    account = f"${{lookup{{{_KEY}}}lsearch{{{ACCOUNTS}}}{{$value}}{{}}}}"
    name = "${sg{$local_part_prefix}{\\N#$\\N}{}}"
    head = [f"domains = {domain.name.lower()}", "local_part_prefix = *#"]
    asked = "{!eq{$verify_mode}{}}"
    return "\n".join(
        [
            _block(
                f"mailbox_{number}",
                "driver = accept",
                *head,
                # There is no mailbox of that name unless the account's owner has made one.
                f"condition = ${{if or{{{asked}{{exists{{{account}.{name}/}}}}}}}}",
                f"condition = ${{if !eq{{{account}}}{{}}}}",
                f"address_data = local=yes mailbox={name} $address_data",
                "transport = mailbox_delivery",
            ),
            _block(
                f"no_mailbox_{number}",
                "driver = redirect",
                *head,
                f"condition = ${{if !eq{{{account}}}{{}}}}",
                "allow_fail",
                "data = :fail: there is no such mailbox",
            ),
        ]
    )


def _detail(number: int, site: Site, domain: SiteDomain) -> str:
    """``account+detail`` (Account Detail)."""
    detail = site.settings.choice(
        "LOCAL", "AccountDetail", {"disabled": False, "enabled": True}, False
    )
    if not detail:
        return ""
    return _block(
        f"detail_{number}",
        "driver = redirect",
        f"domains = {domain.name.lower()}",
        r"condition = ${if match{$local_part}{\N^[^+]+\+\N}}",
        "caseful_local_part",
        r"data = ${sg{$local_part}{\N\+.*$\N}{}}@$domain",
    )


def _unknown(number: int, domain: SiteDomain) -> str:
    """What happens to unknown names."""
    settings = domain.settings
    action = settings.text("Domain", "MailToUnknown", "Rejected").lower()
    reroute = settings.text("Domain", "MailRerouteAddress")
    head = ["driver = redirect", f"domains = {domain.name.lower()}"]
    if action in ("rerouted to", "rerouted"):
        target = reroute.replace("*", "$local_part")
        target = target if re.search("[@%]", target) else f"{target}@{domain.name.lower()}"
        return _block(
            f"unknown_{number}",
            *head,
            "caseful_local_part",
            "address_data = relay=yes $address_data",
            f"data = {target}",
        )
    data = {"rejected": ":fail: unknown account", "discarded": ":blackhole:"}.get(action)
    if data is None:
        raise NotApplicable(f"mail to unknown names: {action}")
    relay = ["address_data = relay=yes $address_data"] if action == "discarded" else []
    return _block(f"unknown_{number}", *head, *relay, "allow_fail", f"data = {data}")


def _remote(site: Site) -> str:
    """What goes out."""
    settings = site.settings
    forward = [each.strip() for each in settings.text("SMTP", "Forward").split(",") if each.strip()]
    shown = f"{forward[0] if forward else '$domain'} $local_part@$domain"
    blocks = [
        ".ifdef ROUTE_ONLY",
        _block(
            "route_remote",
            "driver = redirect",
            r"domains = ! +local_domains : \N^.+\..+$\N",
            r"condition = ${if match{$domain}{\N\.uucp$\N}{no}{yes}}",
            "caseful_local_part",
            "allow_fail",
            r"data = ${if match{$domain}{\N^\[\N}{:fail: route: SMTP $domain $local_part@$domain}"
            f"{{:fail: route: SMTP {shown}}}}}",
        ),
        ".endif",
        _block(
            "verified_remote",
            "driver = accept",
            "verify_only",
            "no_verify_sender",
            "address_data = to=$domain $address_data",
            r"domains = ! +local_domains : \N^.+\..+$\N",
            r"condition = ${if match{$domain}{\N\.uucp$\N}{no}{yes}}",
            "caseful_local_part",
        ),
        # A return path that the table knows is not looked up.
        _block(
            "known_sender",
            "driver = accept",
            "verify_only",
            "no_verify_recipient",
            "condition = ${if def:parent_domain}",
        ),
        _block(
            "literal_with_port",
            "driver = manualroute",
            r"domains = <; \N^\[[\d.]+:\d+\]$\N",
            "caseful_local_part",
            r"route_data = ${sg{$domain}{\N^\[(.+):(\d+)\]$\N}{\$1::\$2}}",
            "transport = remote_smtp",
        ),
        _block(
            "literal",
            "driver = ipliteral",
            r"domains = \N^\[\N",
            "caseful_local_part",
            "transport = remote_smtp",
            "self = pass",
        ),
    ]
    if forward:
        blocks.append(
            _block(
                "smart_host",
                "driver = manualroute",
                "no_verify_sender",
                r"domains = ! +local_domains : \N^.+\..+$\N",
                "caseful_local_part",
                f"route_data = <;{';'.join(forward)}",
                "transport = remote_smtp",
                "host_find_failed = defer",
                "self = fail",
                "no_more",
            )
        )
    blocks.append(
        _block(
            "remote",
            "driver = dnslookup",
            r"domains = ! +local_domains : \N^.+\..+$\N",
            r"condition = ${if match{$domain}{\N\.uucp$\N}{no}{yes}}",
            "caseful_local_part",
            "address_data = looked=yes $address_data",
            "transport = remote_smtp",
            "same_domain_copy_routing = no",
            # An MX record that names this server is a loop in the DNS.
            "self = pass",
            "no_more",
        )
    )
    blocks.append(
        _block(
            "dns_loop",
            "driver = redirect",
            "condition = ${if def:self_hostname}",
            "allow_fail",
            "data = :fail: DNS loop: $domain is sent to this server, which does not know it",
        )
    )
    return "\n".join(blocks)
