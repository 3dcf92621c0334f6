"""The target ``remote``: a server that stands somewhere and must not be configured.

Its file says where it is and what is true of it; a scenario runs only if all that its ``given``
asks for is among that, and if it needs nothing of the world: no remote hosts, no DNS records, no
clients at special addresses. For every other one the reason is reported::

    name = "ours"
    kind = "remote"
    plans = ["direct"]
    capabilities = ["smtp", "pop", "auth"]

    [options]
    host = "127.0.0.1"
    ports = {smtp = 2525, pop = 1110}   # those that differ from the documented ones
    client = false                      # is this computer a client of the server?
    empty_mailboxes = true              # may mail of the accounts below be deleted?

    [options.given]                     # as in a scenario
    domains = {"mycompany.com" = {accounts = ["john"]}}

Accounts have the password ``secret`` unless the file names another one. Before a scenario that
looks into mailboxes, those of the accounts of its own ``given`` are emptied over POP3, if the file
permits it.
"""

from __future__ import annotations

import asyncio
import poplib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from conformance.scenario.complaints import Complaints
from conformance.scenario.given_keys import GIVEN
from conformance.scenario.model import AccountSpec, DomainSpec, Given, Scenario
from conformance.scenario.nodes import parse
from conformance.scenario.steps import STRANGER, DialogueStep, MailStep, TlsStep
from conformance.targets.base import (
    SERVICE_PORTS,
    Holds,
    Session,
    Surroundings,
    Target,
    TargetError,
)
from conformance.targets.file import TargetFile, TargetFileError
from conformance.targets.labels import Keywords
from conformance.targets.settle import settle
from conformance.world.direct import DirectPlan
from conformance.world.plan import Plan

_KEYS = ("host", "ports", "client", "empty_mailboxes", "given")
_LOOKS = frozenset({"delivered", "not delivered", "bounced"})
_SECONDS = 10.0


class RemoteTarget(Target):
    """A server that stands somewhere."""

    def __init__(self, file: TargetFile) -> None:
        self.file = file
        self.name = file.name
        self.capabilities = file.capabilities
        options = file.options
        for key in options:
            if key not in _KEYS:
                raise TargetFileError(
                    f"{file.path}: options.{key}: unknown key; known here: {', '.join(_KEYS)}"
                )
        if not isinstance(options.get("host"), str):
            raise TargetFileError(f'{file.path}: options.host: is missing: as "192.0.2.25"')
        self.host: str = options["host"]
        self.ports = {**SERVICE_PORTS, **options.get("ports", {})}
        self.is_client = bool(options.get("client", False))
        self.may_empty = bool(options.get("empty_mailboxes", False))
        self.given = _given(file.path, options.get("given", {}))

    def lacks(self, scenario: Scenario) -> str:
        """Return why the scenario is not applicable: what of it is not true of the server."""
        reason = super().lacks(scenario)
        return reason or next(self._untrue(scenario), "")

    def _untrue(self, scenario: Scenario) -> Iterator[str]:
        given = scenario.given
        if given.peers or given.zone or given.dns_faults:
            yield "needs remote hosts and DNS records, and the server is not in the harness's world"
        yield from _missing(given, self.given)
        for step in scenario.steps:
            value = step.value
            if isinstance(value, DialogueStep | MailStep | TlsStep) and value.source != STRANGER:
                yield f"needs a client at {value.source}"
            if step.kind in _LOOKS and not self.may_empty:
                yield "looks into mailboxes, and empty_mailboxes does not permit to empty them"
        if self.is_client:
            yield "needs a stranger, and this computer is a client of the server"

    async def open(self, plan: Plan) -> None:
        """Tell the plan where the server is. Raises TargetError."""
        if not isinstance(plan, DirectPlan):
            raise TargetError('a server that stands somewhere needs plans = ["direct"]')
        documented = {SERVICE_PORTS[service]: port for service, port in self.ports.items()}
        plan.stands_at(self.host, documented)

    async def start(self, given: Given, surroundings: Surroundings) -> RemoteSession:
        """Find the server. Raises TargetError when it does not accept connections."""
        session = RemoteSession(self, given)
        await session.find()
        return session

    def describe(self) -> Mapping[str, Any]:
        """Return what the target file states."""
        return {
            "name": self.name,
            "kind": self.file.kind,
            "file": str(self.file.path),
            "host": self.host,
            "capabilities": sorted(self.capabilities),
        }


class RemoteSession(Session):
    """The server while one scenario lasts."""

    def __init__(self, target: RemoteTarget, given: Given) -> None:
        self._target = target
        self._given = given
        self._moved = asyncio.Event()

    async def find(self) -> None:
        """Return when the server has accepted a connection. Raises TargetError."""
        port = self._target.ports["smtp"]
        try:
            _, writer = await asyncio.open_connection(self._target.host, port)
        except OSError as error:
            raise TargetError(
                f"nobody listens at {self._target.host} port {port}: {error.strerror}"
            ) from None
        writer.close()

    async def configure(self, given: Given) -> None:
        """Change nothing but empty the mailboxes that the scenario may look into."""
        if not self._target.may_empty:
            return
        for domain in given.domains:
            for account in domain.accounts:
                name = f"{account.name}@{domain.name}"
                await asyncio.to_thread(self._empty, name, account.password)

    def _empty(self, name: str, password: str) -> None:
        try:
            pop = poplib.POP3(self._target.host, self._target.ports["pop"], timeout=_SECONDS)
            pop.user(name)
            pop.pass_(password)
            for number in range(1, pop.stat()[0] + 1):
                pop.dele(number)
            pop.quit()
        except (OSError, poplib.error_proto) as error:
            raise TargetError(f"the mailbox of {name} cannot be emptied: {error}") from None

    async def rest(self, held: Holds) -> None:
        """Return when for ``settle`` seconds nothing has been heard of the server."""
        await settle(self._moved, self._target.file.start.settle, lambda: None)

    def world_changed(self) -> None:
        """Start to wait again."""
        self._moved.set()

    async def stop(self) -> None:
        """Leave the server alone."""


def _given(path: Path, table: Any) -> Given:
    """Read the table as scenarios are read. Raises TargetFileError."""
    complaints = Complaints(path)
    document = parse(yaml.safe_dump(table), complaints)
    given = GIVEN.read(document.root, complaints) if document is not None else Given()
    for complaint in complaints.listed(0):
        raise TargetFileError(f"{path}: options.given: {complaint.message}")
    return given


def _missing(wanted: Given, true: Given) -> Iterator[str]:
    """Yield what of ``wanted`` is not said to be true."""
    if wanted.main_domain.lower() != true.main_domain.lower():
        yield f"needs the Main Domain {wanted.main_domain}"
    if wanted.addresses != true.addresses:
        yield f"needs a server with the addresses {', '.join(wanted.addresses)}"
    domains = {domain.name.lower(): domain for domain in true.domains}
    for domain in wanted.domains:
        found = domains.get(domain.name.lower())
        if found is None:
            yield f"needs the domain {domain.name}"
        else:
            yield from _missing_in(domain, found)
    for name in ("router", "clients", "client_names", "blacklisted", "white_holes"):
        asked = getattr(wanted, name)
        if asked is not None and asked != getattr(true, name):
            yield f"needs {name.replace('_', ' ')} that the server is not said to have"
    has = {key: str(value) for key, value in _settings(true)}
    for key, value in _settings(wanted):
        if has.get(key) != str(value):
            yield f"needs the setting {key[0]} {key[1]} = {value}"


def _missing_in(wanted: DomainSpec, true: DomainSpec) -> Iterator[str]:
    accounts = {account.name.lower(): account for account in true.accounts}
    for account in wanted.accounts:
        found = accounts.get(account.name.lower())
        if found is None or not _same_account(account, found):
            yield f"needs the account {account.name}@{wanted.name} as the scenario describes it"
    for name in ("aliases", "lists", "addresses"):
        if not set(getattr(wanted, name)) <= set(getattr(true, name)):
            yield f"needs {name} of the domain {wanted.name}"
    for name, address in wanted.forwarders.items():
        if true.forwarders.get(name) != address:
            yield f"needs the forwarder {name}@{wanted.name}"
    if not wanted.settings.items() <= true.settings.items():
        yield f"needs settings of the domain {wanted.name}"


def _same_account(wanted: AccountSpec, true: AccountSpec) -> bool:
    return (
        wanted.password == true.password
        and set(wanted.aliases) <= set(true.aliases)
        and set(wanted.rights) <= set(true.rights)
        and wanted.settings.items() <= true.settings.items()
    )


def _settings(given: Given) -> Iterator[tuple[tuple[str, str], Any]]:
    keywords = Keywords()
    for module, table in given.settings.items():
        for keyword, value in keywords.settings(module, table).items():
            yield (module, keyword), value
