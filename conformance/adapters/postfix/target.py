"""The target ``postfix``: Debian's Postfix, with Dovecot for access and SASL."""

from __future__ import annotations

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


class PostfixTarget(AdapterTarget):
    """Postfix and Dovecot, configured from a site."""

    programs: ClassVar = {_MASTER: "postfix", **dovecot.PROGRAMS}
    hidden = ("/etc/postfix", *dovecot.HIDDEN)

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
            volatile=[dovecot.RUNNING],
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
            account.settings.refuse(
                "Account", "MaxAccountSize", "virtual(8) knows no quota for a maildir", "unlimited"
            )
            if not has_service("Mail", domain.settings, account.settings):
                raise NotApplicable(
                    f"the service Mail is disabled for {account.name}@{domain.name}: "
                    "virtual(8) cannot keep the mail of one account in the queue"
                )


_MISSING = (
    ("LOCAL", "KeepIfFull", "virtual(8) knows no quota for a maildir"),
    ("LOCAL", "FullPercent", "virtual(8) knows no quota for a maildir"),
    ("LOCAL", "KeepIfDisabled", "virtual(8) cannot keep the mail of one account in the queue"),
    ("LOCAL", "WarnAfter", "only all warnings together can be delayed (delay_warning_time)"),
    ("LOCAL", "FlowLimit", "mail is counted by client (anvil(8)), not by recipient"),
    ("LOCAL", "FlowPeriod", "mail is counted by client (anvil(8)), not by recipient"),
    ("Queue", "ReportingDelay", "bounce(8) reports at once"),
    ("Queue", "EnqueuerProcessors", "Postfix has no such part"),
    ("Queue", "DequeuerProcessors", "Postfix has no such part"),
    ("Queue", "RecycleTempFiles", "Postfix has no such files"),
)
