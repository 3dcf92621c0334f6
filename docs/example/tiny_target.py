"""The adapter of the example: from a scenario's site to a configured, running tiny server."""

import json
import sys
from pathlib import Path

from conformance.adapters import dovecot
from conformance.adapters.rest import Look
from conformance.adapters.sandbox import INSIDE, Service
from conformance.adapters.site import DEFAULT_ROUTER
from conformance.adapters.target import AdapterSession, AdapterTarget, File, Layout
from conformance.targets.base import NotApplicable

SERVER = Path(__file__).with_name("tiny_server.py")


class TinyTarget(AdapterTarget):
    """The tiny server for SMTP, Dovecot for access."""

    programs = dovecot.PROGRAMS
    hidden = dovecot.HIDDEN

    def layout(self, site):
        """Translate what the scenario asks for. What is not read here makes it not applicable."""
        if site.router.strip() != DEFAULT_ROUTER.strip():
            raise NotApplicable("the tiny server has no Router")
        if site.clients:
            raise NotApplicable("the tiny server relays for nobody")
        accounts = {
            f"{account.name}@{domain.name}": dovecot.maildir(domain.name, account.name)
            for domain in site.domains
            for account in domain.accounts
        }
        access = dovecot.dovecot(site)
        server = Service(
            name="tiny",
            command=[sys.executable, str(SERVER), f"{INSIDE}/etc/accounts.json"],
            ready=r"^tiny\[\d+\]: ready",
        )
        return Layout(
            files={"etc/accounts.json": File(json.dumps(accounts)), **access.files},
            folders=access.folders,
            services=[server, access.service],
        )

    def session(self, layout, surroundings):
        """Return a session for a layout."""
        return TinySession(self, layout, surroundings)


class TinySession(AdapterSession):
    """The tiny server delivers before it answers, so between commands it is at rest."""

    def look(self, held):
        """Return what is under way: nothing."""
        return Look()
