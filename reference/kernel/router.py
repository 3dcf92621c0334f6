"""The Router: from an address to a module and its queue.

Guide 3.5.2, Router. An address walks in rounds. In each round the first of these rules that applies
changes the address and begins the next round, accepts it, or refuses it:

1.  The Main Domain's name becomes an empty domain part; with an empty domain part the local part is
    divided again.
2.  The Routing Table: the first record that matches.
3.  Special addresses: NULL is discarded, ERROR, BlackListed and spamtrap are refused, MAILER-DAEMON
    becomes NULL. (The table comes first, so a record for the domain ``blacklisted`` opens a white
    hole in the list of blocked hosts.)
4.  A domain with the suffix ``.here`` is the local domain of that name; it goes straight to step 3
    and to the modules, past the table.
5.  A bare IP address gets brackets; one that belongs to a local domain becomes that domain.
6.  A domain alias becomes the domain's real name.
7.  The modules, asked first for what is obviously theirs, then for all the rest.
8.  A domain part without a dot gets the string of Add to Non-Qualified Domain Names.

The relay marker goes with the address: records and forwarders set it, nothing resets it (Guide
3.5.2, Protection, Relaying Rerouted Messages). Records that lead in a circle, or on and on, end in
a :class:`~reference.kernel.routes.RoutingLoop` after at most ``MAX_ROUNDS`` rounds.

The Router looks nothing up in the DNS and enqueues nothing. A message's addresses are routed more
than once (at MAIL or RCPT, then for the queue): routes to accounts and hosts are remembered until
something changes that they depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from reference.kernel.address import (
    Path,
    bare_ip,
    canonical_domain,
    ip_literal,
    is_domain,
    is_simple_local,
    parse,
    parse_path,
    unwrap,
)
from reference.kernel.routes import (
    Accept,
    Address,
    BlacklistedAddress,
    Rewrite,
    Route,
    RoutingError,
    RoutingLoop,
    RoutingModule,
    SpamTrap,
    Step,
    UnknownAccount,
    UnknownDomain,
)
from reference.kernel.table import Purpose, RoutingTable

__all__ = ["MAX_ROUNDS", "Router", "RouterDomain", "RouterDomains", "RouterLog", "RouterOptions"]

MAX_ROUNDS = 100
#: Routes that are remembered.
REMEMBERED = 1000
#: The modules whose routes are: they depend on nothing but what the version tells. (PIPE gives each
#: message a queue of its own.)
_STEADY = frozenset({"LOCAL", "SMTP"})

_SMTP_PORT = 25
_FAILURE, _MAJOR, _LOW_LEVEL = 1, 2, 4
_BLACKLISTED = "Blacklisted Address"
_TAG = "ROUTER"


class RouterDomain(Protocol):
    """A local domain, as the Router sees it."""

    @property
    def name(self) -> str:
        """The real name."""

    @property
    def is_main(self) -> bool:
        """Tell whether it is the Main Domain."""


class RouterDomains(Protocol):
    """The local domains, as the Router sees them."""

    @property
    def main(self) -> RouterDomain:
        """The Main Domain."""

    def get(self, name: str) -> RouterDomain | None:
        """Find a domain by its real name or a domain alias, in any letter case."""

    def by_address(self, ip: str) -> RouterDomain | None:
        """Find the domain that an IP address of the server belongs to."""


class RouterLog(Protocol):
    """The System Log, as the Router sees it."""

    def on(self, tag: str, level: int) -> bool:
        """Tell whether records of this level are kept."""

    def write(self, level: int, tag: str, text: str) -> None:
        """Write a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """The settings of the Router."""

    add_to_non_qualified: bool = False
    suffix: str = ""
    """The string of Add to Non-Qualified Domain Names, as in ``myorg.org``."""


class Router:
    """The rules above, over one table, the local domains and the modules."""

    def __init__(
        self,
        *,
        table: RoutingTable,
        domains: RouterDomains,
        modules: Sequence[RoutingModule],
        settings: RouterOptions | None = None,
        access_modules: Sequence[RoutingModule] | None = None,
        log: RouterLog | None = None,
        version: Callable[[], object] | None = None,
    ) -> None:
        """Take the neighbours; ``access_modules`` are asked about logins, else ``modules`` are.

        ``version`` gives another value after each change of what the domains and the modules say;
        without it no route is remembered.
        """
        self.table = table
        self.domains = domains
        self.modules = tuple(modules)
        self.access_modules = self.modules if access_modules is None else tuple(access_modules)
        self.settings = settings or RouterOptions()
        self._log = log
        self._version = version
        self._routes: dict[tuple[str, Purpose], Route] = {}
        self._routes_of: object = None  # the state of everything in which these were found

    def set_table(self, text: str) -> None:
        """Replace the table. Raises TableSyntaxError, and then keeps the old one."""
        self.table = RoutingTable.parse(text)

    def route(self, address: str | Address, purpose: Purpose = "mail") -> Route:
        """Find out where an address leads, for mail, for access to accounts or for signals.

        Raises RoutingError (AddressSyntaxError for a text that is no address).
        """
        try:
            route = self._remembered(address, purpose) or self._route(address, purpose)
        except RoutingError as error:
            shown = error.address or address
            self._report(error.steps, _FAILURE, f"failed to route '{shown}': {error.text}")
            raise
        self._report(
            route.steps, _MAJOR, f"{route.original} routed to {route.module}({route.host})"
        )
        return route

    def _remembered(self, address: str | Address, purpose: Purpose) -> Route | None:
        """Return the route of an address that was routed before and that nothing has changed."""
        if self._version is None or not isinstance(address, str):
            return None
        state = (self._version(), self.table, self.settings)
        if state != self._routes_of or len(self._routes) > REMEMBERED:
            self._routes.clear()
            self._routes_of = state
        return self._routes.get((address, purpose))

    def _route(self, address: str | Address, purpose: Purpose) -> Route:
        if isinstance(address, str):
            path = parse_path(address)
        else:
            domain = canonical_domain(address.domain)
            path = Path(Address(address.local, domain), _is_simple(address.local))
        modules = self.access_modules if purpose == "access" else self.modules
        walk = _Walk(self, path, purpose, modules)
        try:
            route = walk.run()
        except RoutingError as error:
            error.address = error.address or str(path.address)
            error.steps = tuple(walk.steps)
            raise
        if self._version is not None and isinstance(address, str) and route.module in _STEADY:
            self._routes[address, purpose] = route
        return route

    def _report(self, steps: tuple[Step, ...], level: int, text: str) -> None:
        log = self._log
        if log is None:
            return
        if log.on(_TAG, _LOW_LEVEL):
            for step in steps:
                log.write(_LOW_LEVEL, _TAG, f"{step.rule}: {step.address}")
        if log.on(_TAG, level):
            log.write(level, _TAG, text)


def _is_simple(local: str) -> bool:
    return '"' not in local and is_simple_local(local)


class _Walk:
    """One address on its way: where it is, its marker, and the steps so far.

    A rule returns a Route when it accepts the address, True when it has changed it, and False when
    it does not apply.
    """

    __slots__ = (
        "_address",
        "_domains",
        "_marker",
        "_modules",
        "_path",
        "_purpose",
        "_rerouted",
        "_router",
        "_seen",
        "steps",
    )

    def __init__(
        self, router: Router, path: Path, purpose: Purpose, modules: tuple[RoutingModule, ...]
    ) -> None:
        self._router = router
        self._domains = router.domains
        self._modules = modules
        self._path = path
        self._purpose = purpose
        self._seen: set[Address] = set()
        self._address = path.address
        self._marker = False
        self._rerouted = False
        self.steps: list[Step] = []

    def run(self) -> Route:
        for _ in range(MAX_ROUNDS):
            self._main_domain()
            self._watch()
            for rule in self._RULES:
                outcome = rule(self)
                if isinstance(outcome, Route):
                    return outcome
                if outcome:
                    break
        raise RoutingLoop(f"routing loop: no end after {MAX_ROUNDS} rounds")

    def _watch(self) -> None:
        """Stop an address that goes in a circle."""
        address = self._address
        if address in self._seen:
            raise RoutingLoop(f"routing loop: {address} leads back to itself")
        self._seen.add(address)

    def _main_domain(self) -> None:
        main = self._domains.main.name.lower()
        while not self._address.domain or self._address.domain == main:
            address = unwrap(self._address.local)
            if address == self._address:
                return
            self._move(address, "Main Domain")

    def _table(self) -> bool:
        match = self._router.table.find(self._address, self._purpose)
        if match is None:
            return False
        self._marker = self._marker or match.sets_marker
        self._rerouted = True
        return self._move(match.apply(), f"Router record {match.record.text}")

    def _special(self) -> Route | bool:
        domain, local = self._address.domain, self._address.local
        name = domain or local.lower()
        if name == "null":
            return self._accepted(Accept("NULL", str(self._address)), "SYSTEM")
        if name in ("error", "blacklisted"):
            raise BlacklistedAddress(_BLACKLISTED)
        if domain:
            return False
        if name == "spamtrap":
            raise SpamTrap(_BLACKLISTED)
        return name == "mailer-daemon" and self._move(Address("NULL", ""), "MAILER-DAEMON")

    def _here(self) -> Route | bool:
        if not self._address.domain.endswith(".here"):
            return False
        name = self._address.domain.removesuffix(".here")
        domain = self._domains.get(name)
        if domain is None:
            raise UnknownDomain(f"{name} is not a local domain")
        self._move_to(domain, "suffix .here")
        if domain.is_main and self._address.domain:
            return True
        return self._special() or self._module() or self._unroutable()

    def _ip_address(self) -> bool:
        domain = self._address.domain
        literal = bare_ip(domain)
        if literal is not None:
            return self._move(Address(self._address.local, literal), "IP address")
        found = ip_literal(domain)
        # With another port the address names another server on the same computer.
        if found is None or found[1] not in (None, _SMTP_PORT):
            return False
        owner = self._domains.by_address(found[0])
        return owner is not None and self._move_to(owner, f"IP address of {owner.name}")

    def _domain_alias(self) -> bool:
        name = self._address.domain
        if not name:
            return False
        domain = self._domains.get(name)
        if domain is None or domain.name.lower() == name:
            return False
        return self._move_to(domain, f"domain alias of {domain.name}")

    def _module(self) -> Route | bool:
        for final in (False, True):
            for module in self._modules:
                answer = module.route(self._address, final=final)
                if isinstance(answer, Accept):
                    return self._accepted(answer, module.name)
                if isinstance(answer, Rewrite):
                    self._rerouted = True
                    if answer.relay and is_simple_local(self._address.local):
                        self._marker = True
                    return self._move(parse(answer.address), answer.rule)
        return False

    def _non_qualified(self) -> bool:
        settings, domain = self._router.settings, self._address.domain
        if not domain or "." in domain or domain.startswith("["):
            return False
        suffix = settings.suffix.strip().strip(".").lower()
        if not settings.add_to_non_qualified or not is_domain(suffix):
            return False
        return self._move(
            Address(self._address.local, f"{domain}.{suffix}"), "non-qualified domain name"
        )

    def _unroutable(self) -> bool:
        domain = self._address.domain
        if domain:
            raise UnknownDomain(f"{domain} is not a known domain or host")
        raise UnknownAccount("unknown account")

    def _accepted(self, accept: Accept, module: str) -> Route:
        module = accept.module or module
        path = self._path
        rule = f"{module} accepts for {accept.host}"
        self.steps.append(Step(rule, accept.address, self._marker))
        return Route(
            module,
            accept.host,
            accept.address,
            path.address,
            self._marker,
            path.simple,
            tuple(self.steps),
            accept.mailbox,
            self._rerouted,
        )

    def _move_to(self, domain: RouterDomain, rule: str) -> bool:
        """Put a local domain's real name in place of the domain part."""
        local = self._address.local
        address = unwrap(local) if domain.is_main else Address(local, domain.name.lower())
        return self._move(address, rule)

    def _move(self, address: Address, rule: str) -> bool:
        self._address = address
        self.steps.append(Step(rule, str(address), self._marker))
        return True

    _RULES: ClassVar[tuple[Callable[[_Walk], Route | bool], ...]] = (
        _table,
        _special,
        _here,
        _ip_address,
        _domain_alias,
        _module,
        _non_qualified,
        _unroutable,
    )
