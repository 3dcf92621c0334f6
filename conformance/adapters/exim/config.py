"""Exim's configuration file: the main part, and the parts together.

Exim specification, chapter 14. What is set to other than Exim's own defaults is either the
documents' default (the table in :func:`_main`) or what a scenario asks for.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.adapters.exim.access import access_lists
from conformance.adapters.exim.delivery import authenticators, retry_rules, transports
from conformance.adapters.exim.listeners import listening
from conformance.adapters.exim.routers import routers
from conformance.adapters.exim.tables import HELD, tables
from conformance.adapters.exim.tls import listening_with_tls, sending_with_tls
from conformance.adapters.sandbox import INSIDE
from conformance.adapters.site import Site
from conformance.adapters.target import File

__all__ = ["CONFIG", "EXIM", "configuration"]

EXIM = "/usr/sbin/exim4"
CONFIG = f"{INSIDE}/etc/exim.conf"

_FIXED: Mapping[str, str] = {
    "exim_path": EXIM,
    "exim_user": "Debian-exim",
    "exim_group": "Debian-exim",
    "spool_directory": f"{INSIDE}/spool",
    "pid_file_path": f"{INSIDE}/spool/exim.pid",
    "log_file_path": "syslog",
    "syslog_timestamp": "no",
    "syslog_duplication": "no",
    "log_selector": "+pid",
    # A moved clock is told by variables (conformance.adapters.clock).
    "keep_environment": "^FAKETIME : NO_FAKE_STAT",
    "disable_ipv6": "yes",
    "host_lookup": "",
    "host_lookup_order": "bydns",
    "rfc1413_query_timeout": "0s",
    "dns_retrans": "1s",
    "dns_retry": "2",
    "message_logs": "no",
    "check_spool_space": "0",
    "check_spool_inodes": "0",
    "check_log_space": "0",
    "smtp_accept_max": "0",
    "smtp_accept_queue_per_connection": "0",
    "smtp_accept_max_per_connection": "0",
    "smtp_receive_timeout": "5m",
    "smtp_connect_backlog": "100",
    "smtp_enforce_sync": "no",
    "remote_max_parallel": "20",
    "allow_domain_literals": "yes",
    "sender_unqualified_hosts": "*",
    "recipient_unqualified_hosts": "*",
    "helo_accept_junk_hosts": "*",
    "helo_allow_chars": "_",
    "chunking_advertise_hosts": "",
    "pipelining_connect_advertise_hosts": "",
    "dsn_advertise_hosts": "*",
    "delay_warning": "",
    "ignore_bounce_errors_after": "0s",
    "message_body_visible": "100K",
    "message_body_newlines": "yes",
    "received_header_text": (
        "Received: from $sender_fullhost by $primary_hostname "
        "${if def:received_protocol{with $received_protocol }}"
        "${if def:authenticated_id{(authenticated as $authenticated_id) }}"
        "(Exim $version_number) id $message_exim_id"
    ),
    "queue_run_max": "0",
}


def configuration(site: Site) -> dict[str, File]:
    """Return the configuration file and the tables it names. Raises NotApplicable."""
    files = tables(site)
    secure, sending = listening_with_tls(site), sending_with_tls(site)
    files |= {**secure.files, **sending.files}
    # First, for it says what is wrong with a table.
    ways = routers(site)
    parts = [
        "\n".join(f"{key} = {value}" for key, value in _main(site, secure.options).items()),
        _lists(site),
        "begin acl\n\n" + access_lists(site),
        "begin routers\n\n" + ways,
        "begin transports\n\n" + transports(site, sending.options),
        "begin retry\n\n" + retry_rules(site),
        "begin authenticators\n\n" + authenticators(site),
    ]
    files["etc/exim.conf"] = File("\n\n".join(parts) + "\n")
    return files


def _main(site: Site, secure: Mapping[str, str]) -> dict[str, str]:
    """Return the main options."""
    settings = site.settings
    options = dict(_FIXED)
    options["primary_hostname"] = site.main_domain
    options["qualify_domain"] = site.main_domain
    options["smtp_banner"] = "$primary_hostname ESMTP"
    options.update(
        {
            f"acl_smtp_{name}": f"acl_{name}"
            for name in ("connect", "helo", "mail", "rcpt", "predata", "data", "etrn", "auth")
        }
    )
    options["acl_smtp_helo"] = "acl_helo"
    # The name that is given becomes one of the list, which nobody outside can have made.
    name = "${lc:${sg{$domain}{\\N^[@#]\\N}{}}}"
    options["smtp_etrn_command"] = (
        f"{EXIM} -C {CONFIG} -Rff ${{lookup{{{name}}}lsearch,ret=key{{{HELD}}}{{$value}}{{.}}}}"
    )
    options["smtp_etrn_serialize"] = "no"
    options.update(listening(site))
    options.update(secure)
    size = settings.size("SMTP", "MessageLimit")
    options["message_size_limit"] = "0" if size is None else str(size)
    if settings.given("SMTP", "RecipientLimit"):
        options["recipients_max"] = settings.text("SMTP", "RecipientLimit")
        options["recipients_max_reject"] = "no"
    settings.refuse(
        "SMTP",
        "ErrorLimit",
        "Exim counts unknown commands (smtp_max_unknown_commands) and syntax errors "
        "(smtp_max_synprot_errors) apart, and refused recipients not at all: "
        "there is no limit of all errors",
    )
    settings.refuse(
        "SMTP",
        "Advertise8BITMIME",
        "accept_8bitmime is yes or no for all hosts, not a list of hosts",
        "everybody",
        "nobody",
    )
    options["accept_8bitmime"] = settings.choice(
        "SMTP", "Advertise8BITMIME", {"everybody": "yes", "nobody": "no"}, "yes"
    )
    held = settings.texts("SMTP", "HoldDomains")
    if held:
        options["hold_domains"] = " : ".join(each.lower() for each in held)
    _reports(site, options)
    _refuse(site)
    return options


def _reports(site: Site, options: dict[str, str]) -> None:
    """Set what concerns delivery reports."""
    settings = site.settings
    options["bounce_return_body"] = settings.choice(
        "Queue",
        "FailureReturn",
        {
            "body by default": "yes",
            "always body": "yes",
            "headers by default": "no",
            "always headers": "no",
        },
        "yes",
    )
    copies = settings.text("Queue", "CopyFailuresTo")
    if copies:
        to = copies if "@" in copies else f"{copies}@{site.main_domain}"
        options["errors_copy"] = f"*@* {to}"
    warn = settings.seconds("SMTP", "WarnAfter")
    if warn is not None:
        # A time alone would repeat.
        options["delay_warning"] = f"{warn}s:99d"


_OWN_PROCESS = (
    "the process of a connection takes messages in, and one for each message delivers and reports; "
    "there is no number of processors to share that work"
)
_NO_FLOW = (
    "Exim counts no messages of an account as they are delivered: ratelimit is a condition of the "
    "access control lists, which may put off a sender, not the queue of an account"
)
_NO_ALERT = (
    "neither server tells a user at his login that the account is nearly full: "
    "quota_warn_threshold mails a message"
)
_NO_LOGINS = (
    "Exim does not hear from where somebody has logged in by POP or IMAP; a script of one's own "
    "(Dovecot's script-login) would have to tell it by a table"
)
#: Module and keyword → what Exim has instead, or that it has nothing.
_UNKNOWN: Mapping[tuple[str, str], str] = {
    (
        "Queue",
        "ReportingDelay",
    ): "each delivery attempt of Exim's reports its failures at once; no time to wait can be set",
    ("Queue", "DequeuerProcessors"): _OWN_PROCESS,
    ("Queue", "EnqueuerProcessors"): _OWN_PROCESS,
    (
        "Queue",
        "RecycleTempFiles",
    ): "Exim makes new spool files for each message; none is used again, and no setting says so",
    ("LOCAL", "FlowLimit"): _NO_FLOW,
    ("LOCAL", "FlowPeriod"): _NO_FLOW,
    ("LOCAL", "AlertPercent"): _NO_ALERT,
    ("LOCAL", "AlertText"): _NO_ALERT,
    ("LOCAL", "WarnAfter"): (
        "delay_warning is one list of times for all messages that wait, "
        "and not for an account that is full"
    ),
    ("LOCAL", "KeepIfDisabled"): (
        "a router could defer mail for one account (:defer:) and a retry rule end that, "
        "but the adapter writes neither"
    ),
    (
        "DNR",
        "InitialTimeout",
    ): "dns_retrans is handed to the C library, which need not obey",
    ("DNR", "RetryLimit"): "dns_retry is handed to the C library, which need not obey",
    ("TLS", "TimeToLive"): (
        "session tickets (tls_resumption_hosts) are good for a time that is fixed in the program "
        "(Exim specification, 43.17: two hours); there is no option for it"
    ),
    ("Protection", "ProcessAsClient"): _NO_LOGINS,
    ("Protection", "ProcessAsClientFor"): _NO_LOGINS,
    ("Protection", "RememberClients"): _NO_LOGINS,
}


def _refuse(site: Site) -> None:
    """Refuse settings of which Exim has nothing. Raises NotApplicable."""
    site.settings.take_log_levels()
    for (module, keyword), reason in _UNKNOWN.items():
        site.settings.refuse(module, keyword, reason)


def _lists(site: Site) -> str:
    """Return the named lists."""
    domains = [domain.name.lower() for domain in site.domains]
    aliases = [alias.lower() for domain in site.domains for alias in domain.aliases]
    clients = [*(f"{address}/32" for address in (*site.addresses, "127.0.0.1"))]
    clients += [str(network) for network in site.clients.networks]
    lines = [
        f"domainlist local_domains = {' : '.join(domains)}",
        f"domainlist alias_domains = {' : '.join(aliases)}",
        f"hostlist clients = {' : '.join(clients)}",
        f"hostlist blacklisted = {' : '.join(str(each) for each in site.blacklisted.networks)}",
        f"hostlist white_holes = {' : '.join(str(each) for each in site.white_holes.networks)}",
    ]
    return "\n".join(lines)
