"""A server's storage, Router and protection with a CLI on top, without a network."""

from __future__ import annotations

from pathlib import Path

from reference.cli.command import Kernel
from reference.cli.commands import COMMANDS
from reference.cli.interpreter import Interpreter
from reference.cli.replies import Reply
from reference.formats import dictionary
from reference.kernel.clocks import HeldClock
from reference.kernel.protection import Protection
from reference.kernel.router import Router
from reference.kernel.routes import Accept, Address, Rewrite, UnknownAccount
from reference.kernel.table import RoutingTable
from reference.storage.account import Account
from reference.storage.base import prepare
from reference.storage.domains import Domains
from reference.storage.log import ServerLog
from reference.storage.objects import Forwarder
from reference.storage.settings import ROUTER_TABLE, Settings

MAIN = "mycompany.com"


class NoNames:
    """A resolver that knows nothing."""

    async def ptr(self, ip: str) -> list[str]:
        return []

    async def a(self, name: str) -> list[str]:
        return []


class LocalRouting:
    """As much of the LOCAL module as routes need here."""

    name = "LOCAL"

    def __init__(self, domains: Domains) -> None:
        self._domains = domains

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        domain = self._domains.get(address.domain)
        if domain is None:
            return None
        found = domain.find(address.local)
        if isinstance(found, Account):
            return Accept(found.label, "")
        if isinstance(found, Forwarder):
            return Rewrite(found.address, f"Forwarder {found.name}", relay=True)
        raise UnknownAccount("unknown user account")


class RemoteRouting:
    """As much of the SMTP module."""

    name = "SMTP"

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        return Accept(address.domain, str(address)) if final and "." in address.domain else None


class CLIWorld:
    """One server; ``run`` gives a command as an account of the Main Domain or another."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.clock = HeldClock(start=1_000_000_000.0)
        prepare(base, clock=self.clock, host_name=MAIN)
        self.settings = Settings(base)
        self.domains = Domains(base=base, settings=self.settings, clock=self.clock)
        self.log = ServerLog(folder=base / "SystemLogs", clock=self.clock, settings=self.settings)
        self.protection = Protection(
            folder=base / "Settings",
            settings=self.settings,
            names=NoNames(),
            clock=self.clock,
            own_addresses=("10.0.0.1",),
        )
        self.router = Router(
            table=RoutingTable.parse(self.settings.text(ROUTER_TABLE)),
            domains=self.domains,
            modules=(LocalRouting(self.domains), RemoteRouting()),
        )
        self.released: list[str] = []
        self.refreshed = 0
        self.stopped = 0
        self.polled: list[Account] = []
        self.kernel = Kernel(
            records_changed=self.polled.append,
            domains=self.domains,
            settings=self.settings,
            router=self.router,
            protection=self.protection,
            log=self.log,
            clock=self.clock,
            release=self._release,
            refresh=self._refresh,
            shutdown=self._shutdown,
        )
        self.interpreter = Interpreter(kernel=self.kernel, commands=COMMANDS)

    def _release(self, host: str) -> bool:
        self.released.append(host)
        return host != "nowhere.com"

    def _refresh(self) -> None:
        self.refreshed += 1

    def _shutdown(self) -> None:
        self.stopped += 1

    def account(self, name: str) -> Account:
        """Return an account that is there."""
        local, _, domain_name = name.partition("@")
        domain = self.domains.get(domain_name)
        assert domain is not None
        found = domain.find(local)
        assert isinstance(found, Account)
        return found

    def run(self, line: str, user: str = "postmaster") -> Reply:
        """Give a command and return its answer."""
        return self.interpreter.execute(line, self.account(user))

    def ok(self, *lines: str, user: str = "postmaster") -> dictionary.Value | None:
        """Give commands that must succeed; return the data of the last one."""
        value: dictionary.Value | None = None
        for line in lines:
            reply = self.run(line, user)
            assert reply.code == 200, f"{line}: {reply.code} {reply.text}"
            value = reply.value
            if value is not None:
                assert dictionary.parse(dictionary.dump(value)) == value
        return value

    def refused(self, line: str, user: str = "postmaster") -> str:
        """Give a command that must be refused; return the text."""
        reply = self.run(line, user)
        assert 500 <= reply.code <= 599, f"{line}: {reply.code} {reply.text} {reply.value}"
        assert reply.value is None
        return reply.text
