"""The target ``postfix``: Debian's Postfix, with Dovecot for access and SASL."""

from __future__ import annotations

from typing import ClassVar

from conformance.adapters import dovecot
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
from conformance.targets.base import Surroundings

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
