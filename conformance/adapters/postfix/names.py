"""Domains, accounts, aliases, forwarders and the Routing Table, as Postfix's maps.

The Main Domain is the local one (``mydestination``, so that the percent sign and address literals
work as they do there), the secondary domains are virtual mailbox domains; virtual(8) delivers for
all of them. Aliases of domains are mailbox domains too, with one line for each name: a catch-all
would take every recipient and bounce the unknown ones.

virtual_alias_maps are asked in the Router's order: first the table (conformance.translate), then
the names of the domains; what they give is looked up again.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.adapters.dovecot import maildir
from conformance.adapters.postfix.config import ETC, Config
from conformance.adapters.postfix.mail_to_all import mail_to_all
from conformance.adapters.sandbox import USERS
from conformance.adapters.site import Settings, Site, SiteDomain
from conformance.adapters.target import File
from conformance.targets.base import NotApplicable
from conformance.translate import Installation, Outcome, TableError, parse_table, translate
from conformance.translate.destination import Kind
from conformance.translate.records import Record

#: Guide 3.5.2, Router, Special Addresses: names that mean something without any record.
_SPECIAL = """\
<null> = null
<mailer-daemon> = null
<error> = error
<blacklisted> = error
<spamtrap> = spamtrap
null = null
error = error
blacklisted = error
"""
#: Guide 3.5.2, Local Delivery Module, Routing: the suffix .domain. The SMTP Module's, .smtp, has no
#: counterpart: transport(5) tables may not put a part of an address into their result.
_ALIASES = (
    "/^.+%([^%@]+)@([^@]+)[.]domain$/ ${1}@${2}",
    "/^([^%@]+)@([^@]+)[.]domain$/ ${1}@${2}",
)
_NOWHERE = "null@router.invalid"
_REFUSED = "error@router.invalid"


def names(site: Site, config: Config) -> None:
    """Write who is there. Raises NotApplicable."""
    main = site.main_domain.lower()
    config.main["myhostname"] = main
    config.main["mydomain"] = main
    config.main["myorigin"] = main
    _qualification(site.settings)
    local, secondary = _domains(site)
    config.main["mydestination"] = ", ".join(local)
    config.main["virtual_mailbox_domains"] = ", ".join(secondary)
    mailboxes = list(_mailboxes(site))
    boxes = config.table("texthash", "mailboxes", mailboxes)
    number = USERS["vmail"][0]
    config.main |= {
        "virtual_mailbox_base": "/",
        "virtual_mailbox_maps": boxes,
        "local_recipient_maps": boxes,
        "virtual_uid_maps": f"static:{number}",
        "virtual_gid_maps": f"static:{number}",
        "virtual_mailbox_limit": "0",
        "local_transport": "virtual",
        "virtual_transport": "virtual",
    }
    _table(site, config)
    detail = site.settings.choice(
        "LOCAL", "AccountDetail", {"enabled": True, "disabled": False}, False
    )
    if detail:
        config.main["recipient_delimiter"] = "+"
    site.settings.refuse(
        "LOCAL",
        "DirectMailbox",
        "virtual(8) delivers into the one mailbox that a table names for an account, and never "
        "into one that an address names; the adapter does not deliver by dovecot-lda(1), whose -m "
        "does",
        "no",
    )
    site.settings.refuse(
        "LOCAL",
        "EnvelopeRecipientsField",
        "virtual(8) names the recipient in X-Original-To, and this field can have no other name",
    )
    site.settings.refuse(
        "LOCAL", "AlertPercent", "virtual(8) knows no quotas, Dovecot no alerts at a login", "0"
    )
    processes = site.settings.text("LOCAL", "Processes", "-")
    if processes == "0":
        # In master.cf this would mean: as many as you like.
        config.add("defer_transports", ["virtual"])
    config.services.append(f"virtual unix - n n - {processes} virtual")
    aliases = [*_all_domain_aliases(site), *mail_to_all(site)]
    aliases += [line for domain in site.domains for line in _names(site, domain)]
    config.add("virtual_alias_maps", [config.table("texthash", "names", aliases)])
    patterns = [line for domain in site.domains for line in _unknown(site, domain)]
    if patterns:
        config.add("virtual_alias_maps", [config.table("regexp", "unknown.regexp", patterns)])


def _qualification(settings: Settings) -> None:
    if settings.flag("Router", "AddToNonQualified"):
        raise NotApplicable(
            "Router AddToNonQualified: Postfix could complete names without a dot "
            "(append_dot_mydomain, by $mydomain), in header fields too; the adapter does not"
        )
    settings.text("Router", "NonQualifiedSuffix")


def _domains(site: Site) -> tuple[list[str], list[str]]:
    local: list[str] = []
    secondary: list[str] = []
    for domain in site.domains:
        found = [name.lower() for name in (domain.name, *domain.aliases)]
        (local if domain.is_main else secondary).extend(found)
    return local, secondary


def _hosts(site: Site, domain: SiteDomain) -> list[str]:
    """Return a domain's names, and the addresses that are its own, as literals."""
    dedicated = {address for other in site.domains for address in other.addresses}
    own = domain.addresses
    if domain.is_main:
        own = tuple(address for address in site.addresses if address not in dedicated) + own
    return [*_names_of(domain), *(f"[{address}]" for address in own)]


def _names_of(domain: SiteDomain) -> list[str]:
    return [name.lower() for name in (domain.name, *domain.aliases)]


def _mailboxes(site: Site) -> Iterator[str]:
    for domain in site.domains:
        for account in domain.accounts:
            box = maildir(domain.name, account.name).lstrip("/")
            for host in _hosts(site, domain):
                yield f"{account.name.lower()}@{host} {box}"


def _names(site: Site, domain: SiteDomain) -> Iterator[str]:
    """Yield aliases of accounts, forwarders, and the address for all."""
    for host in _hosts(site, domain):
        for account in domain.accounts:
            for alias in account.aliases:
                yield f"{alias.lower()}@{host} {account.name.lower()}@{domain.name.lower()}"
        for name, target in domain.forwarders.items():
            address = target if "@" in target else f"{target}@{domain.name.lower()}"
            yield f"{name.lower()}@{host} {address}"


def _unknown(site: Site, domain: SiteDomain) -> Iterator[str]:
    """Yield what becomes of the names that a domain does not have: regular expressions."""
    reroute = domain.settings.text("Domain", "MailRerouteAddress")
    fate = domain.settings.choice(
        "Domain",
        "MailToUnknown",
        {
            "rejected": "",
            "discarded": _NOWHERE,
            "rerouted to": reroute,
            "accepted and bounced": _REFUSED,
        },
        "",
    )
    if not fate:
        return
    known = [account.name for account in domain.accounts]
    known += [alias for account in domain.accounts for alias in account.aliases]
    known += list(domain.forwarders)
    names_pattern = "|".join(escape(name) for name in known)
    for host in _hosts(site, domain):
        yield f"if !/^({names_pattern})@{escape(host)}$/"
        yield f"/^(.*)@{escape(host)}$/ {_rerouted(fate, domain)}"
        yield "endif"


def _rerouted(fate: str, domain: SiteDomain) -> str:
    address = fate.replace("$", "$$").replace("*", "${1}")
    return address if "@" in address else f"{address}@{domain.name.lower()}"


def _all_domain_aliases(site: Site) -> Iterator[str]:
    aliases = site.settings.value("LOCAL", "AllDomainAliases", {})
    for domain in site.domains:
        for host in _hosts(site, domain):
            for name, target in aliases.items():
                address = target if "@" in target else f"{target}@{site.main_domain.lower()}"
                yield f"{name.lower()}@{host} {address}"


def _table(site: Site, config: Config) -> None:
    """Write the maps of the Routing Table. Raises NotApplicable for a record that has none."""
    try:
        records = parse_table(f"{site.router.rstrip()}\n{_SPECIAL}")
    except TableError as error:
        raise NotApplicable(f"the Routing Table cannot be translated: {error}") from None
    installation = Installation(
        main_domain=site.main_domain.lower(),
        local_domains=tuple(
            host for domain in site.domains for host in _names_of(domain) if not domain.is_main
        ),
        folder=ETC,
    )
    translation = translate(records, to="postfix", installation=installation)
    for verdict in translation.verdicts:
        if verdict.outcome is Outcome.DROPPED and not _closed_white_hole(verdict.record):
            raise NotApplicable(f"Routing Table: {verdict.record}: {verdict.reason}")
    for file in translation.files:
        if file.name != "main.cf":
            config.files[f"etc/{file.name}"] = File(file.text)
    config.main |= {
        "virtual_alias_maps": f"regexp:{ETC}/router-aliases.regexp",
        "virtual_alias_domains": f"regexp:{ETC}/router-domains.regexp",
        "relay_domains": f"regexp:{ETC}/router-relay-domains.regexp",
        "transport_maps": f"regexp:{ETC}/router-transport.regexp",
        "allow_percent_hack": "yes",
        "header_checks": f"regexp:{ETC}/router-spam-traps.regexp",
    }
    config.add("virtual_alias_maps", [config.table("regexp", "suffix-aliases", _ALIASES)])
    config.add("virtual_alias_domains", [config.table("regexp", "suffix", ["/[.]domain$/ ok"])])
    # A name without a dot that is neither here nor in the table is nobody's.
    known = "|".join(escape(host) for domain in site.domains for host in _names_of(domain))
    refused = config.files["etc/router-refused.regexp"]
    lines = f"if !/@({known})$/\n/@[^].@[]+$/ REJECT a domain without a dot\nendif\n"
    config.files["etc/router-refused.regexp"] = File(f"{refused.text!s}{lines}")


def _closed_white_hole(record: Record) -> bool:
    """Tell whether a record refuses what blacklisted hosts may not send anyway."""
    return record.left.domain == "blacklisted" and record.destination.kind is Kind.ERROR


def escape(text: str) -> str:
    """Return a text for a regular expression of regexp_table(5)."""
    return "".join(f"\\{char}" if char in r".^$*+?()[]{}|\/" else char for char in text)


def glob(pattern: str) -> str:
    """Return a pattern of the documents (``*`` is anything) as a regular expression."""
    return ".*".join(escape(piece) for piece in pattern.split("*"))
