"""How mail leaves: the smart host, retries, connections, encryption, source addresses, reports."""

from __future__ import annotations

import re
from collections.abc import Mapping

from conformance.adapters.postfix.config import ETC, Config
from conformance.adapters.postfix.names import escape, glob
from conformance.adapters.site import Settings, Site
from conformance.adapters.target import File
from conformance.targets.base import NotApplicable
from conformance.world.certificates import authority_pem

_LATER = 7200
"""Seconds between attempts for a message that has waited for long."""
#: Options of smtp(8) that begin TLS with the connection.
_AT_ONCE = "-o smtp_tls_wrappermode=yes -o smtp_tls_security_level=encrypt"
_RETURNED: Mapping[str, tuple[str, ...]] = {
    "body by default": (),
    "headers by default": ("if !/ RET=/", "/^(MAIL FROM:.*)$/ ${1} RET=HDRS", "endif"),
    "always headers": (
        "/^(MAIL FROM:.*) RET=[A-Z]+(.*)$/ ${1}${2} RET=HDRS",
        "/^(MAIL FROM:.*)$/ ${1} RET=HDRS",
    ),
    "always body": ("/^(MAIL FROM:.*) RET=[A-Z]+(.*)$/ ${1}${2}",),
}
"""What is to be returned → lines for smtpd_command_filter."""


def sending(site: Site, config: Config) -> None:
    """Write the parameters. Raises NotApplicable."""
    settings = site.settings
    config.main |= {"smtp_bind_address": "", "disable_dns_lookups": "no"}
    _forward(settings, config)
    _retries(settings, config)
    _channels(settings, config)
    _secure(settings, config)
    _addresses(site, config)
    _held(site, config)
    _reports(settings, config)


def _forward(settings: Settings, config: Config) -> None:
    hosts = [host.strip() for host in settings.text("SMTP", "Forward").split(",") if host.strip()]
    if hosts:
        config.main["relayhost"] = ", ".join(f"[{host}]" for host in hosts)
        table = config.table("regexp", "literal-transport", ["/@[[][0-9.]+[]]$/ smtp:"])
        config.add("transport_maps", [table])
    name = settings.text("SMTP", "ForwardAUTHName")
    password = settings.text("SMTP", "ForwardAUTHPassword")
    if name:
        config.main |= {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": config.table(
                "texthash",
                "relay-password",
                [f"[{host}] {name}:{password}" for host in hosts],
            ),
            "smtp_sasl_security_options": "noanonymous",
        }


def _retries(settings: Settings, config: Config) -> None:
    every = settings.seconds("SMTP", "RetryInterval", "30m") or 0
    # Left alone, the documents' servers try every two hours in the end.
    later = every if settings.given("SMTP", "RetryInterval") else max(every, _LATER)
    for keyword in ("RetryInterval2", "RetryPeriod1"):
        settings.refuse(
            "SMTP",
            keyword,
            "qmgr(8) lets a message wait as long again as it has waited, within "
            "minimal_backoff_time and maximal_backoff_time; it has no period with another interval",
        )
    lifetime = settings.seconds("SMTP", "GiveUpAfter", "5d") or 0
    warning = settings.seconds("SMTP", "WarnAfter") or 0
    config.main |= {
        "minimal_backoff_time": f"{every}s",
        "maximal_backoff_time": f"{later}s",
        "maximal_queue_lifetime": f"{lifetime}s",
        "bounce_queue_lifetime": f"{lifetime}s",
        "delay_warning_time": f"{warning}s",
    }


def _channels(settings: Settings, config: Config) -> None:
    config.main["smtp_destination_concurrency_limit"] = settings.text(
        "SMTP", "ChannelsPerHost", "3"
    )
    # One connection at first, and a host that fails once is left alone until the next attempt.
    config.main["initial_destination_concurrency"] = "1"
    settings.refuse(
        "SMTP",
        "AddChannelAfter",
        "qmgr(8) adds connections to a host by deliveries that succeed "
        "(default_destination_concurrency_positive_feedback), not by time",
        "1m",
    )
    settings.value("SMTP", "AddChannelAfter")
    # Each smtp(8) has one connection.
    config.channels = settings.text("SMTP", "OutputChannels", "-")


def _secure(settings: Settings, config: Config) -> None:
    domains = settings.texts("SMTP", "SecureDomains")
    if settings.flag("SMTP", "SecureWherePossible"):
        config.main["smtp_tls_security_level"] = "may"
    forwarding = "relayhost" in config.main
    if domains:
        # A forwarding server's certificate may bear any name; others must bear the domain's name
        # or the relay's.
        level = "encrypt" if forwarding else "secure match=nexthop:hostname"
        lines = [f"/^[[]?{glob(domain)}[]]?(:[0-9]+)?$/ {level}" for domain in domains]
        config.files["etc/authorities.pem"] = File(authority_pem())
        config.main |= {
            "smtp_tls_policy_maps": config.table("regexp", "secure-domains", lines),
            "smtp_tls_CAfile": f"{ETC}/authorities.pem",
            # Mail that cannot go out safely comes back at once.
            "smtp_delivery_status_filter": config.table(
                "regexp",
                "insecure",
                ["/^4(\\.7\\.[45] .*)/ 5${1}"],
            ),
        }
    _give_routes(config, "smtp", "smtps", re.compile(r".+:465"))
    config.services.append(f"smtps unix - - n - - smtp {_AT_ONCE}")


def _give_routes(config: Config, of: str, to: str, hosts: re.Pattern[str]) -> None:
    """Give the Routing Table's routes to such hosts, those of one service, to another."""

    def named(route: re.Match[str]) -> str:
        return f"{to}:{route[1]}" if hosts.fullmatch(route[1]) else route[0]

    path = "etc/router-transport.regexp"
    text = re.sub(rf"\b{of}:(\S+)$", named, str(config.files[path].text), flags=re.MULTILINE)
    config.files[path] = File(text)


def _addresses(site: Site, config: Config) -> None:
    """Write by which address mail of a domain leaves (Relaying via a Dedicated IP Address)."""
    lines: list[str] = []
    for domain in site.domains:
        meanings = {"any": "any", "first": "first", "same": "same"}
        use = domain.settings.choice("Domain", "RelayAddress", meanings, "any")
        if use == "same":
            raise NotApplicable(
                f"domain {domain.name}: RelayAddress same: smtp(8) is not told to which address "
                "of the server a message came (only an instance of Postfix for each address would "
                "know, postmulti(1))"
            )
        if use == "first" and domain.addresses:
            name = f"smtp-{len(lines)}"
            bind = f"-o smtp_bind_address={domain.addresses[0]}"
            config.services.append(f"{name} unix - - n - - smtp {bind}")
            lines += [f"@{host.lower()} {name}:" for host in (domain.name, *domain.aliases)]
    if lines:
        config.main["sender_dependent_default_transport_maps"] = config.table(
            "texthash", "sender-transports", lines
        )


def _held(site: Site, config: Config) -> None:
    """Write Hold Mail and ETRN: a transport of its own, deferred until somebody asks."""
    settings = site.settings
    own = "|".join(
        escape(host.lower()) for domain in site.domains for host in (domain.name, *domain.aliases)
    )
    flushed = [f"if !/^({own})$/", "/[.]/ yes", "endif"]
    config.main["fast_flush_domains"] = config.table("regexp", "flushed", flushed)
    anybody = {"everybody": True, "everyone": True, "anybody": True, "clients": False}
    if not settings.choice("SMTP", "AcceptWakeups", anybody, True):
        config.main["smtpd_etrn_restrictions"] = "permit_mynetworks, reject"
    domains = settings.texts("SMTP", "HoldDomains")
    if domains:
        lines = [f"/@{glob(domain)}$/ hold:" for domain in domains]
        config.add("transport_maps", [config.table("regexp", "held", lines)])
        names = "|".join(glob(domain) for domain in domains)
        hosts = re.compile(rf"\[?({names})\]?(:[0-9]+)?", re.IGNORECASE)
        for of, held, options in (("smtp", "hold", ""), ("smtps", "holds", f" {_AT_ONCE}")):
            _give_routes(config, of, held, hosts)
            config.add("defer_transports", [held])
            config.services.append(f"{held} unix - - n - - smtp{options}")


def _reports(settings: Settings, config: Config) -> None:
    copies = settings.text("Queue", "CopyFailuresTo")
    if copies:
        config.main |= {"notify_classes": "bounce", "bounce_notice_recipient": copies}
    # bounce(8) obeys RET, and returns the message if there is none: so RET is written as it is due.
    rules = settings.choice("Queue", "FailureReturn", _RETURNED, ())
    if rules:
        config.main["smtpd_command_filter"] = config.table("regexp", "returned", rules)
