"""The target ``postfix``: Debian's Postfix, with Dovecot for access and SASL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from conformance.adapters import dovecot
from conformance.adapters.dovecot import has_service
from conformance.adapters.postfix.config import ETC, Config
from conformance.adapters.postfix.listeners import smtp_listeners
from conformance.adapters.postfix.names import names
from conformance.adapters.postfix.receiving import receiving
from conformance.adapters.postfix.restrictions import restrictions
from conformance.adapters.postfix.sending import sending
from conformance.adapters.postfix.session import PostfixSession
from conformance.adapters.sandbox import Service
from conformance.adapters.site import Site
from conformance.adapters.target import AdapterTarget, Folder, Layout
from conformance.targets.base import NotApplicable, Surroundings

_MASTER = "/usr/lib/postfix/sbin/master"
_PRIVATE = ("incoming", "active", "bounce", "defer", "deferred", "flush", "hold", "saved", "trace")
_FOLDERS = {
    "spool": Folder(),
    "spool/pid": Folder(),
    "data": Folder(0o700, "postfix"),
    **{f"spool/{name}": Folder(0o700, "postfix") for name in (*_PRIVATE, "corrupt", "private")},
    "spool/public": Folder(0o710, "postfix", "postdrop"),
    "spool/maildrop": Folder(0o730, "postfix", "postdrop"),
}


#: Capability → what Postfix has not, or has otherwise.
_MISSING_PARTS: Mapping[str, str] = {
    "route": (
        "Postfix has no test that only tells where an address leads (sendmail -bv asks the remote "
        "hosts, and answers by mail; postmap -q asks one table), and the adapter makes none up"
    ),
    "lists": (
        "Postfix could send to the addresses of a file (:include: of aliases(5)), without "
        "subscription, modes or an archive; the adapter writes no lists"
    ),
    "log": (
        "Postfix and Dovecot write to syslog, without the documents' levels and tags of modules, "
        "and the adapter shows it to no scenario"
    ),
    "schedule": (
        "Postfix sends at any hour (queue_run_delay is one interval): "
        "a program like cron would have to hold and flush the queue"
    ),
    "rules": (
        "there are no Rules: accounts would have Sieve scripts (dovecot-sieve, a package "
        "of its own), the server header_checks"
    ),
    "execute": "no rule runs a program: pipe(8) does, for addresses that master.cf knows",
    "pipe": (
        "there is no PIPE module: programs hand mail in by sendmail(1), not by files in a folder, "
        "and pipe(8) runs commands of master.cf, not what an address names"
    ),
    "atrn": "of the commands that ask for mail smtpd(8) knows ETRN, and neither ATRN nor TURN",
    "wakeups": "smtp(8) sends mail only, and never an ETRN or ATRN to have some sent",
}


class PostfixTarget(AdapterTarget):
    """Postfix and Dovecot, configured from a site."""

    programs: ClassVar = {_MASTER: "postfix", **dovecot.PROGRAMS}
    hidden = ("/etc/postfix", *dovecot.HIDDEN)
    missing: ClassVar[Mapping[str, str]] = {**dovecot.MISSING, **_MISSING_PARTS}

    def layout(self, site: Site) -> Layout:
        """Return files, folders and services for a site. Raises NotApplicable."""
        _refuse(site)
        config = Config()
        names(site, config)
        restrictions(site, config)
        receiving(site, config)
        smtp_listeners(site, config)
        sending(site, config)
        access = dovecot.dovecot(site)
        return Layout(
            files={**config.finish(), **access.files},
            folders={**_FOLDERS, **access.folders},
            # check_recipient_mx_access looks the server's own name up.
            hosts={site.main_domain: site.addresses[0]},
            services=[
                Service(
                    name="postfix",
                    command=[_MASTER, "-d", "-c", ETC],
                    ready=r"^postfix/master\[\d+\]: daemon started",
                    clock=True,
                ),
                access.service,
            ],
        )

    def session(self, layout: Layout, surroundings: Surroundings) -> PostfixSession:
        """Return a session that has not been started."""
        return PostfixSession(self, layout, surroundings)


def _refuse(site: Site) -> None:
    """Raise NotApplicable for what Postfix has no counterpart for."""
    settings = site.settings
    settings.take_log_levels()
    for module, keyword, reason in _MISSING:
        settings.refuse(module, keyword, reason)
    for domain in site.domains:
        for account in domain.accounts:
            account.settings.refuse("Account", "MaxAccountSize", _NO_QUOTA, "unlimited")
            if not has_service("Mail", domain.settings, account.settings):
                raise NotApplicable(
                    f"the service Mail is disabled for {account.name}@{domain.name}: {_NO_SERVICE}"
                )


_NO_QUOTA = (
    "virtual(8) limits the size of a message in a maildir, not that of a mailbox "
    "(virtual_mailbox_limit); the adapter does not deliver by dovecot-lda(1), whose plugin does"
)
_NO_SERVICE = (
    "mail for one account can be deferred (transport(5), retry:), but for no other time than all "
    "mail (maximal_queue_lifetime)"
)
_NO_FLOW = (
    "anvil(8) counts what a client sends (smtpd_client_message_rate_limit), "
    "not what an account receives"
)
_MISSING = (
    ("LOCAL", "KeepIfFull", _NO_QUOTA),
    ("LOCAL", "FullPercent", _NO_QUOTA),
    ("LOCAL", "KeepIfDisabled", _NO_SERVICE),
    ("LOCAL", "WarnAfter", "only all warnings together can be delayed (delay_warning_time)"),
    ("LOCAL", "FlowLimit", _NO_FLOW),
    ("LOCAL", "FlowPeriod", _NO_FLOW),
    (
        "Queue",
        "ReportingDelay",
        "bounce(8) reports when an attempt to deliver a message is over; it knows no time to wait",
    ),
    (
        "Queue",
        "EnqueuerProcessors",
        "one cleanup(8) takes each message in; no number of them to share the work can be set",
    ),
    (
        "Queue",
        "DequeuerProcessors",
        "there is one qmgr(8), which hands out all deliveries and reports; it cannot be several",
    ),
    (
        "Queue",
        "RecycleTempFiles",
        "cleanup(8) makes a new queue file for each message, and no setting lets it use one again",
    ),
)
