"""The access control lists: clients, blacklists, what is refused and how.

Exim specification, chapter 43. A list of the documents decides in their order (Guide 3.5.2,
Protection): Client IP Addresses, clients by name, White Holes, Blacklisted IP Addresses, names,
RBL servers. ``$acl_c_client`` and ``$acl_c_blacklisted`` remember what was found.
"""

from __future__ import annotations

import re

from conformance.adapters.addresses import AddressList
from conformance.adapters.exim.listeners import smtp_listeners
from conformance.adapters.exim.tables import ACCOUNTS, ALIASES, NO_RELAY, login_name
from conformance.adapters.site import Site
from conformance.targets.base import NotApplicable
from conformance.translate import parse_table
from conformance.translate.course import Place, first
from conformance.translate.destination import Kind

__all__ = ["access_lists"]


def access_lists(site: Site) -> str:
    """Return all access control lists. Raises NotApplicable."""
    return "\n".join(
        [
            "acl_connect:",
            *_connect(site),
            "",
            "acl_helo:",
            "  accept",
            "",
            "acl_mail:",
            *_mail(site),
            "",
            "acl_rcpt:",
            *_rcpt(site),
            "",
            "acl_predata:",
            "  accept",
            "",
            "acl_data:",
            *_data(site),
            "",
            "acl_etrn:",
            *_etrn(site),
            "",
            "acl_auth:",
            "  accept",
        ]
    )


def _connect(site: Site) -> list[str]:
    lines = _restrictions(site)
    lines += ["  warn    hosts = +clients", "          set acl_c_client = yes"]
    if site.client_names:
        detect = site.settings.flag("Protection", "DetectClientsByName", True)
        names = site.client_names
        if detect:
            lines += [
                "  warn    condition = ${if !def:acl_c_client}",
                f"          {_by_pointer(names, confirmed=True)}",
                "          set acl_c_client = yes",
            ]
    elif site.settings.given("Protection", "ClientNames"):
        site.settings.value("Protection", "ClientNames")
        if site.settings.flag("Protection", "DetectClientsByName"):
            raise NotApplicable("Detect Clients by DNS Name is set in two places")
    lines += [
        "  accept  condition = ${if def:acl_c_client}",
        "  accept  hosts = +white_holes",
        "  warn    hosts = +blacklisted",
        "          set acl_c_blacklisted = yes",
        "  accept  condition = ${if def:acl_c_blacklisted}",
    ]
    settings = site.settings
    freed = settings.texts("Protection", "UnBlacklistedNames")
    if settings.flag("Protection", "UnBlacklistByName") and freed:
        lines += [f"  accept  {_by_pointer(freed)}"]
    banned = settings.texts("Protection", "BlacklistedNames")
    if settings.flag("Protection", "BlacklistByName") and banned:
        lines += [
            f"  warn    {_by_pointer(banned)}",
            "          set acl_c_blacklisted = yes",
            "  accept  condition = ${if def:acl_c_blacklisted}",
        ]
    servers = settings.texts("Protection", "RBLServers")
    if settings.flag("Protection", "UseBlacklistingDNS") and servers:
        # 127.0.0.2 to 127.1.255.255 (Guide 3.5.2, Protection, Using DNS-based Blacklists).
        listed = (
            r"${if forany{<, ${sg{$dnslist_value}{ }{}}}"
            r"{and{{match{$item}{\N^127\.[01]\.\N}}{!match{$item}{\N^127\.0\.0\.[01]$\N}}}}}"
        )
        for server in servers:
            lines += [
                f"  warn    dnslists = {server}",
                f"          condition = {listed}",
                "          set acl_c_blacklisted = yes",
                "  accept  condition = ${if def:acl_c_blacklisted}",
            ]
    return [*lines, "  accept"]


def _restrictions(site: Site) -> list[str]:
    """Listeners that take connections of some addresses only."""
    lines = []
    for listener in smtp_listeners(site):
        if listener.grant is None:
            continue
        addresses = [address for each in listener.addresses for address in _networks(each)]
        bang = "!" if listener.grant else ""
        lines += [
            f"  drop    condition = ${{if eq{{$received_port}}{{{listener.port}}}}}",
            f"          {bang}hosts = {' : '.join(addresses)}",
            "          message = access denied",
        ]
    return lines


def _networks(text: str) -> list[str]:
    return [str(network) for network in AddressList([text]).networks]


def _host_name(pattern: str) -> str:
    return rf"\N^{re.escape(pattern.lower()).replace(chr(92) + '*', '.*')}$\N"


def _by_pointer(patterns: tuple[str, ...], *, confirmed: bool = False) -> str:
    """Look the address's name up; ``confirmed``: the name must have the address, too.

    A list of hosts in Exim would always confirm the name, and ask for its address before it is
    known to match.
    """
    pointer = "${lookup dnsdb{>: defer_never,ptr=$sender_host_address}{$value}{}}"
    tests = "".join(f"{{match{{${{lc:$item}}}}{{{_host_name(each)}}}}}" for each in patterns)
    test = f"or{{{tests}}}"
    if confirmed:
        addresses = "${lookup dnsdb{>: defer_never,a=$item}{$value}{}}"
        test = f"and{{{{{test}}}{{inlist{{$sender_host_address}}{{{addresses}}}}}}}"
    return f"condition = ${{if forany{{{pointer}}}{{{test}}}}}"


def _mail(site: Site) -> list[str]:
    # Who has logged in is not judged by the address (RBL or not).
    lines = ["  warn    authenticated = *", "          set acl_c_blacklisted ="]
    forced = _audience(site, "ForceAUTH")
    if forced:
        lines += [
            "  deny    !authenticated = *",
            f"          condition = {_registered()}",
            *forced,
            "          message = 530 5.7.0 Authentication required",
        ]
    lines += [
        # An unknown name in a domain of one's own is no sender, whoever says so.
        "  deny    sender_domains = +local_domains : +alias_domains",
        "          !verify = sender",
        "          message = 550 5.1.8 $acl_verify_message",
    ]
    verified = _audience(site, "VerifyReturnPath")
    callout = _audience(site, "ReverseConnect")
    if verified:
        lines += _sender(verified)
    if callout:
        lines += [
            "  deny",
            *callout,
            "          !senders = :",
            "          !verify = sender/callout=5s",
        ]
    spf = _audience(site, "CheckSPF")
    if spf:
        lines += [
            "  defer",
            *spf,
            "          spf = temperror",
            "          message = 451 4.4.3 the SPF record cannot be had now",
            "  warn",
            *spf,
            "          spf = pass : softfail : neutral : none : permerror",
            "          add_header = $spf_received",
            "  deny    spf = fail",
            *spf,
            "          !hosts = +white_holes",
            "          message = 550 5.7.23 the SPF record of $sender_address_domain forbids it",
        ]
    return [*lines, "  accept"]


def _sender(audience: list[str]) -> list[str]:
    """Verify HELO and Return-Path (Guide 3.5.2, Protection, Return-Path Address Verification)."""
    mail_exchanger = (
        "${extract{2}{ }{${listextract{1}{<; ${sort{<; ${lookup dnsdb{>; defer_never,"
        "mx=$sender_address_domain}{$value}{}}}{<}{${extract{1}{ }{$item}}}}}}}}"
    )
    first = f"${{if eq{{{mail_exchanger}}}{{}}{{$sender_address_domain}}{{{mail_exchanger}}}}}"
    addresses = f"${{lookup dnsdb{{>: defer_never,a={first}}}{{$value}}{{}}}}"
    stranger = (
        r"${if match{$sender_address_domain}{\N^\[(.+)\]$\N}"
        "{${if match_ip{$1}{+clients}{no}{yes}}}{no}}"
    )
    return [
        "  warn",
        *audience,
        "          !verify = helo",
        "          log_message = the name in HELO does not hold",
        "  accept  senders = :",
        "  deny",
        *audience,
        r"          condition = ${if match{$smtp_command_argument}{\N@[^>\s]\N}{no}{yes}}",
        "          message = 550 5.1.7 the sender has no domain",
        "  deny",
        *audience,
        f"          condition = {stranger}",
        "          message = 550 5.1.8 the sender's domain is an address",
        "  accept",
        *audience,
        r"          condition = ${if match{$sender_address_domain}{\N^\[\N}}",
        "  deny",
        *audience,
        "          !verify = sender",
        "          message = 550 5.1.8 $acl_verify_message",
        "  deny",
        *audience,
        "          condition = ${extract{looked}{$sender_address_data}{yes}{no}}",
        f"          condition = ${{if forany{{{addresses}}}{{match_ip{{$item}}{{+blacklisted}}}}}}",
        "          message = 550 5.1.8 the sender's domain is at a blacklisted address",
    ]


def _audience(site: Site, keyword: str) -> list[str] | None:
    """Return the conditions of an option that is for clients, non-clients, everybody or nobody."""
    return site.settings.choice(
        "SMTP",
        keyword,
        {
            "nobody": None,
            "everybody": ["          condition = yes"],
            "non-clients": ["          condition = ${if !def:acl_c_client}"],
            "clients": ["          condition = ${if def:acl_c_client}"],
        },
        None,
    )


def _rcpt(site: Site) -> list[str]:
    settings = site.settings
    login = login_name(site)
    open_to_all = settings.choice(
        "SMTP", "RelayToNonClients", {"clients": False, "everybody": True}, False
    )
    to_clients = settings.choice(
        "SMTP", "RelayToClients", {"no": "", "simple": "simple", "all": "all"}, "simple"
    )
    lines = [
        "  deny    condition = ${if def:acl_c_blacklisted}",
        "          !verify = recipient",
        (
            "          message = ${if eq{$acl_verify_message}{Blacklisted Address}"
            f"{{591 Your host is blacklisted. {_hint(site)}}}{{$acl_verify_message}}}}"
        ),
        "  accept  condition = ${if def:acl_c_blacklisted}",
        "  deny    !verify = recipient",
        (
            "          set acl_m_trap = ${if or{{def:acl_m_trap}"
            "{bool{${extract{spamtrap}{$address_data}{yes}{no}}}}}{yes}{}}"
        ),
        "          message = $acl_verify_message",
        "  accept  condition = ${extract{local}{$address_data}{yes}{no}}",
        "  accept  condition = ${extract{relay}{$address_data}{yes}{no}}",
        "  accept  condition = ${if def:acl_c_client}",
        "  accept  authenticated = *",
        f"          condition = ${{lookup{{{login}}}lsearch{{{NO_RELAY}}}{{no}}{{yes}}}}",
    ]
    if open_to_all:
        lines.append("  accept")
    if to_clients:
        lines += _to_clients(to_clients)
    if settings.flag("SMTP", "RelayToBackup"):
        lines.append("  accept  domains = @mx_secondary/ignore=0.0.0.0 : @mx_any")
    lines += [
        f"  defer   condition = {_registered()}",
        "          !authenticated = *",
        "          message = 450 4.7.1 Relaying is not permitted: try to authenticate first",
        "  deny    message = 550 5.7.1 Relaying is not permitted",
    ]
    return lines


def _hint(site: Site) -> str:
    """What a blacklisted host is told (Guide 3.5.2, SMTP Module, Processing Mail from …)."""
    found = first(parse_table(site.router), Place("blacklist-admin", "blacklisted"))
    if found is None or found[0].destination.kind not in (Kind.ADDRESS, Kind.UNIFIED, Kind.NULL):
        return "No mail will be accepted"
    # One line: Exim folds what is longer than 75 symbols.
    return f"Ask blacklist-admin@{site.main_domain}"


def _registered() -> str:
    """The sender is an account, or an alias of one."""
    key = "${lc:$sender_address}"
    alias = f"{{${{lookup{{{key}}}lsearch{{{ALIASES}}}{{yes}}{{no}}}}}}"
    return f"${{lookup{{{key}}}lsearch{{{ACCOUNTS}}}{{yes}}{alias}}}"


def _to_clients(which: str) -> list[str]:
    """Hosts that are in the list of clients get mail of anybody."""
    simple = (
        [r"          condition = ${if match{$local_part}{\N[%!@\s\"]\N}{no}{yes}}"]
        if which == "simple"
        else []
    )
    # The host that the verified address leads to, not the one in what the client has said.
    routed = "${extract{to}{$address_data}{$value}{$domain}}"
    hosts = (
        rf"${{if match{{{routed}}}{{\N^\[([\d.]+)\]$\N}}{{$1}}"
        f"{{${{lookup dnsdb{{>: a=${{lookup dnsdb{{>: mxh={routed}}}{{$value}}{{{routed}}}}}}}"
        "{$value}{}}}}"
    )
    return [
        "  accept",
        *simple,
        f"          condition = ${{if forany{{{hosts}}}{{match_ip{{$item}}{{+clients}}}}}}",
    ]


def _data(site: Site) -> list[str]:
    settings = site.settings
    lines = [
        "  deny    condition = ${if eq{$acl_m_trap}{yes}}",
        "          message = 591 5.7.1 Blacklisted Address",
    ]
    for pattern in settings.texts("Banned", "HeaderLines"):
        banned = f"${{if match{{$message_headers_raw}}{{{_header_line(pattern)}}}}}"
        lines += [
            f"  deny    condition = {banned}",
            "          message = 550 5.7.1 a header line is banned",
        ]
    for pattern in settings.texts("Banned", "BodyLines"):
        lines += [
            f"  deny    condition = ${{if match{{$message_body}}{{{_body_line(pattern)}}}}}",
            "          message = 550 5.7.1 a body line is banned",
        ]
    return [*lines, "  accept"]


def _header_line(pattern: str) -> str:
    """Return the expression for a header field as a whole, with the lines that continue it."""
    inner = _pieces(pattern, r"(?:[^\n]|\n(?=[ \t]))*")
    return rf"\N(?:\A|\n)(?![ \t]){inner}(?=\n(?![ \t])|\z)\N"


def _body_line(pattern: str) -> str:
    return rf"\N(?m)^{_pieces(pattern, '.*')}$\N"


def _pieces(pattern: str, star: str) -> str:
    pieces = (r"\n".join(map(re.escape, piece.split("\n"))) for piece in pattern.split("*"))
    return star.join(pieces)


def _etrn(site: Site) -> list[str]:
    who = _audience(site, "AcceptWakeups")
    if site.settings.given("SMTP", "AcceptWakeups") and who is None:
        return ["  deny"]
    name = r"\N^\S+\s+[@#]?([\w-]+(\.[\w-]+)+)$\N"
    own = "${if match_domain{$1}{+local_domains : +alias_domains}}"
    return [
        f"  deny    condition = ${{if match{{$smtp_command}}{{{name}}}{{no}}{{yes}}}}",
        "          message = 501 write ETRN domain",
        f"  deny    condition = ${{if match{{$smtp_command}}{{{name}}}{{{own}}}{{no}}}}",
        "          message = 459 its mail is not kept here",
        "  accept",
        *(who or []),
    ]
