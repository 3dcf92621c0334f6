"""Who may send what to whom: the restrictions of smtpd(8).

One list, smtpd_recipient_restrictions, in the documents' order: hosts of the blacklist (by address,
by name, by RBL servers) first, then what the Routing Table refuses, Force AUTH, and relaying. Guide
3.5.2, Protection; the classes are restriction classes (RESTRICTION_CLASS_README).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from conformance.adapters.addresses import AddressList
from conformance.adapters.dovecot import has_service
from conformance.adapters.postfix.config import ETC, Config
from conformance.adapters.postfix.mail_to_all import who_may_send_to_all
from conformance.adapters.postfix.names import glob
from conformance.adapters.site import Settings, Site
from conformance.adapters.target import File
from conformance.translate import parse_table
from conformance.translate.course import Place, first
from conformance.translate.destination import Kind


class Whom(enum.Enum):
    """For whom an option of the documents is in force."""

    NOBODY = "nobody"
    NON_CLIENTS = "non-clients"
    EVERYBODY = "everybody"


WHOM = {
    "nobody": Whom.NOBODY,
    "no": Whom.NOBODY,
    "non-clients": Whom.NON_CLIENTS,
    "nonclients": Whom.NON_CLIENTS,
    "everybody": Whom.EVERYBODY,
    "anybody": Whom.EVERYBODY,
    "all": Whom.EVERYBODY,
    "yes": Whom.EVERYBODY,
}


def restrictions(site: Site, config: Config) -> None:
    """Write the restrictions. Raises NotApplicable."""
    settings = site.settings
    clients = [str(network) for network in site.clients.networks]
    config.main["mynetworks"] = ", ".join(["127.0.0.0/8", *site.addresses, *clients])
    classes: dict[str, list[str]] = {}
    refused = f"check_recipient_access regexp:{ETC}/router-refused.regexp"
    without_relay = list(_without_relay(site, config))
    # Who has logged in, or is a client by its name, is not looked for in any black list.
    to_all = list(who_may_send_to_all(site, config, classes))
    classes["known_sender"] = [
        *without_relay,
        refused,
        *to_all,
        "reject_unlisted_recipient",
        "permit",
    ]
    recipient = [
        *_offenders(site, config, classes),
        refused,
        *to_all,
        "reject_unlisted_recipient",
        "permit_mynetworks",
        *without_relay,
        *_relaying(site, config, classes),
    ]
    _verification(site, config, classes)
    _forced(site, config)
    _reverse(site, config)
    config.main["smtpd_restriction_classes"] = ", ".join(classes)
    for name, members in classes.items():
        config.main[name] = ", ".join(members)
    config.main |= {
        "smtpd_recipient_restrictions": ", ".join(recipient),
        "smtpd_relay_restrictions": "",
        "smtpd_reject_unlisted_recipient": "no",
        "smtpd_delay_reject": "no",
        # What strangers may not use is refused by patterns, before relay_domains permit it.
        "allow_untrusted_routing": "yes",
        "maps_rbl_reject_code": "591",
        "unknown_address_reject_code": "550",
        "unknown_address_tempfail_action": "defer",
        "unknown_hostname_reject_code": "550",
    }
    _impossible(settings)


def _impossible(settings: Settings) -> None:
    settings.refuse(
        "SMTP",
        "CheckSPF",
        "Postfix looks up no SPF records; a policy server of another package would "
        "(check_policy_service, postfix-policyd-spf-python)",
        "nobody",
        "no",
    )
    settings.value("SMTP", "CheckSPF")
    settings.refuse(
        "Protection",
        "ProcessAsClient",
        "smtpd(8) does not hear from where somebody has logged in by POP or IMAP; a script of "
        "one's own (Dovecot's script-login) would have to tell it by a table",
        "no",
    )
    settings.value("Protection", "ProcessAsClient")
    settings.value("Protection", "ProcessAsClientFor")


def cidr(addresses: AddressList, action: str) -> list[str]:
    """Return lines of a cidr table."""
    return [f"{network} {action}" for network in addresses.networks]


def _offenders(site: Site, config: Config, classes: dict[str, list[str]]) -> Iterator[str]:
    """Yield what looks for hosts of the blacklist; clients are never looked for."""
    by_name = list(_clients_by_name(site, config))
    known = ["check_sasl_access static:known_sender", *by_name]
    classes["blacklisted_host"] = [
        *known,
        f"check_recipient_access regexp:{ETC}/router-white-hole-redirect.regexp",
        f"check_recipient_access regexp:{ETC}/router-white-hole-permit.regexp",
        f"check_client_access static:{{{_blacklisted(site)}}}",
    ]
    suspects = list(_suspects(site, config, classes))
    lines = [f"{address}/32 DUNNO" for address in site.addresses]
    lines += cidr(site.clients, "DUNNO")
    lines += cidr(site.white_holes, "DUNNO")
    lines += cidr(site.blacklisted, "blacklisted_host")
    if suspects or by_name:
        classes["suspect_host"] = [*known, *suspects]
        lines.append("0.0.0.0/0 suspect_host")
    yield f"check_client_access {config.table('cidr', 'offenders', lines)}"


def _blacklisted(site: Site) -> str:
    """Return the refusal; it tells of the white hole if there is one that leads somewhere."""
    place = Place("blacklist-admin", "blacklisted")
    found = first(parse_table(site.router), place)
    if found is None or found[0].destination.kind in (Kind.ERROR, Kind.NULL):
        return "591 5.7.1 Your host is blacklisted"
    return f"591 5.7.1 Your host is blacklisted, write to blacklist-admin@{site.main_domain}"


def _suspects(site: Site, config: Config, classes: dict[str, list[str]]) -> Iterator[str]:
    settings = site.settings
    bad = settings.texts("Protection", "BlacklistedNames")
    good = settings.texts("Protection", "UnBlacklistedNames")
    if not settings.flag("Protection", "BlacklistByName"):
        bad = ()
    if not settings.flag("Protection", "UnBlacklistByName"):
        good = ()
    servers = settings.texts("Protection", "RBLServers")
    if not settings.flag("Protection", "UseBlacklistingDNS"):
        servers = ()
    # Without any need for it smtpd(8) does not ask for a client's name.
    named = bad or good or _client_names(site)
    config.main["smtpd_peername_lookup"] = "yes" if named else "no"
    ranges = ("127.0.0.[2..255]", "127.0.[1..255].[0..255]", "127.1.[0..255].[0..255]")
    asked = [f"reject_rbl_client {server}={range_}" for server in servers for range_ in ranges]
    if asked:
        permit = f"check_recipient_access regexp:{ETC}/router-white-hole-permit.regexp"
        classes["listed_host"] = [permit, *asked]
    if not bad and not good:
        yield from (["listed_host"] if asked else [])
        return
    lines = [f"/^{glob(name)}$/ DUNNO" for name in good]
    lines += [f"/^{glob(name)}$/ blacklisted_host" for name in bad]
    if asked:
        lines.append("/./ listed_host")
    yield f"check_reverse_client_hostname_access {config.table('regexp', 'host-names', lines)}"


def _client_names(site: Site) -> tuple[str, ...]:
    settings = site.settings
    names = settings.texts("Protection", "ClientNames")
    if not settings.flag("Protection", "DetectClientsByName"):
        names = ()
    return (*site.client_names, *names)


def _clients_by_name(site: Site, config: Config) -> Iterator[str]:
    """Yield what tells clients by their names."""
    patterns = [f"/^{glob(name)}$/ known_sender" for name in _client_names(site)]
    if patterns:
        yield f"check_client_access {config.table('regexp', 'client-names', patterns)}"


def _without_relay(site: Site, config: Config) -> Iterator[str]:
    """Yield what keeps accounts without the Relay service from relaying after AUTH."""
    lines = [
        f"{name}@{host} reject_unauth_destination"
        for domain in site.domains
        for account in domain.accounts
        if not has_service("Relay", domain.settings, account.settings)
        for name in (account.name.lower(), *(alias.lower() for alias in account.aliases))
        for host in (domain.name.lower(), *(alias.lower() for alias in domain.aliases))
    ]
    if lines:
        table = config.table("texthash", "no-relay", lines)
        yield f"check_sasl_access {table}"


def _forced(site: Site, config: Config) -> None:
    """Write Force AUTH: who uses the address of an account has to log in as somebody."""
    whom = site.settings.choice("SMTP", "ForceAUTH", WHOM, Whom.NOBODY)
    if whom is Whom.NOBODY:
        return
    lines = [
        f"{name.lower()}@{host.lower()} 530 5.7.0 Authentication required"
        for domain in site.domains
        for account in domain.accounts
        for name in (account.name, *account.aliases)
        for host in (domain.name, *domain.aliases)
    ]
    first = ["permit_mynetworks"] if whom is Whom.NON_CLIENTS else []
    table = config.table("texthash", "own-senders", lines)
    config.add(
        "smtpd_sender_restrictions",
        [*first, "permit_sasl_authenticated", f"check_sender_access {table}"],
    )


def _reverse(site: Site, config: Config) -> None:
    """Write Reverse Connect: senders are probed (ADDRESS_VERIFICATION_README)."""
    whom = site.settings.choice("SMTP", "ReverseConnect", WHOM, Whom.NOBODY)
    if whom is Whom.NOBODY:
        return
    first = ["permit_mynetworks"] if whom is Whom.NON_CLIENTS else []
    own = [f"{host.lower()} OK" for d in site.domains for host in (d.name, *d.aliases)]
    table = config.table("texthash", "own-domains-known", own)
    before = config.main.get("smtpd_sender_restrictions", "")
    config.main |= {
        "smtpd_sender_restrictions": ", ".join(
            [
                *([before] if before else []),
                *first,
                "reject_unlisted_sender",
                f"check_sender_access {table}",
                "reject_unverified_sender",
            ]
        ),
        "unverified_sender_reject_code": "550",
        "unverified_sender_tempfail_action": "defer",
        "address_verify_poll_delay": "1s",
        "address_verify_poll_count": "5",
    }


def _relaying(site: Site, config: Config, classes: dict[str, list[str]]) -> Iterator[str]:
    """Yield who may relay, to the last reject."""
    settings = site.settings
    yield "permit_sasl_authenticated"
    yield f"check_recipient_access regexp:{ETC}/router-relay.regexp"
    yield "permit_auth_destination"
    anybody = {"clients": False, "everybody": True, "everyone": True, "anybody": True}
    if settings.choice("SMTP", "RelayToNonClients", anybody, False):
        yield "check_client_access static:OK"
    if settings.flag("SMTP", "RelayToBackup"):
        yield "permit_mx_backup"
    yield from _to_clients(site, config, classes)
    yield "reject"


def _to_clients(site: Site, config: Config, classes: dict[str, list[str]]) -> Iterator[str]:
    """Yield what lets everybody send to hosts that are clients: all MX hosts must be some."""
    meanings = {"simple": "simple", "all": "all", "any": "all", "no": ""}
    kind = site.settings.choice("SMTP", "RelayToClients", meanings, "simple")
    if not kind or not site.clients:
        return
    lines = [*cidr(site.clients, "DUNNO"), "0.0.0.0/0 REJECT relaying is not permitted"]
    classes["to_client"] = [
        "reject_unknown_recipient_domain",
        f"check_recipient_mx_access {config.table('cidr', 'not-clients', lines)}",
        "permit",
    ]
    pattern = '/^[^%!"@ ]+@[^@]+$/' if kind == "simple" else "/./"
    yield f"check_recipient_access {config.table('regexp', 'to-client', [f'{pattern} to_client'])}"


def _verification(site: Site, config: Config, classes: dict[str, list[str]]) -> None:
    """Write Verify HELO and Return-Path."""
    whom = site.settings.choice("SMTP", "VerifyReturnPath", WHOM, Whom.NOBODY)
    if whom is Whom.NOBODY:
        return
    first_of_all = ["permit_mynetworks"] if whom is Whom.NON_CLIENTS else []
    refused = config.files["etc/router-refused.regexp"].text
    known = str(refused).replace(" DUNNO\n", " OK\n")
    config.files["etc/router-senders.regexp"] = File(known)
    own = [f"{host.lower()} OK" for d in site.domains for host in (d.name, *d.aliases)]
    others = [*cidr(site.clients, "DUNNO"), "0.0.0.0/0 REJECT no client's address"]
    classes["literal_sender"] = [
        f"check_sender_mx_access {config.table('cidr', 'literals-not-clients', others)}",
        "permit",
    ]
    offenders = config.table("cidr", "offenders-mx", cidr(site.blacklisted, "REJECT"))
    senders = [
        *first_of_all,
        f"check_sender_access regexp:{ETC}/router-senders.regexp",
        "reject_non_fqdn_sender",
        "reject_unlisted_sender",
        f"check_sender_access {config.table('texthash', 'own-domains', own)}",
        f"check_sender_access {config.table('regexp', 'literals', ['/@[[]/ literal_sender'])}",
        "reject_unknown_sender_domain",
        f"check_sender_mx_access {offenders}",
    ]
    config.main["smtpd_sender_restrictions"] = ", ".join(senders)
    helo = [*first_of_all, "warn_if_reject reject_unknown_helo_hostname"]
    config.main["smtpd_helo_restrictions"] = ", ".join(helo)
