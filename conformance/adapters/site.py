"""A neutral reading of what a scenario's ``given`` asks for, for servers of other families.

The rule: *all that a scenario asks for is taken by the adapter, or the scenario is not applicable*.
Every key of ``given`` that says something, and every setting of a module, a domain or an account,
is a *wish*. An adapter takes a wish when it has an answer for it, and refuses it with a reason when
it knows that its server cannot; :meth:`Site.check` complains about what nobody took. So nothing is
silently ignored::

    site = Site(given)
    relaying = site.settings.choice("SMTP", "RelayToClients", {"simple": …, "all": …, "no": …})
    clients = site.clients                     # a property takes its wish
    if site.settings.flag("Router", "AddToNonQualified"):
        raise NotApplicable("Exim …")
    site.check()                               # NotApplicable: names what is left

Settings are known by the keywords of :mod:`conformance.targets.labels`, whatever label a scenario
uses. Nothing here does I/O; addresses are those of the documents, as the namespace plan has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from conformance.adapters.addresses import AddressList
from conformance.scenario.model import AccountSpec, DomainSpec, Given
from conformance.targets.base import NotApplicable
from conformance.targets.configure import DEFAULT_PASSWORD, POSTMASTER
from conformance.targets.labels import Keywords

Meaning = TypeVar("Meaning")

#: Guide 3.5.2, Router, Default Records: the table of a fresh installation.
DEFAULT_ROUTER = """\
<root> = postmaster
localhost =
mailhost =
<blacklist-admin*@blacklisted> = postmaster
"""
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Wishes:
    """What is asked for: names, and who has been taken."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Note that something is asked for."""
        self._open[name] = value

    def take(self, name: str) -> None:
        """Note that it will be done."""
        self._open.pop(name, None)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield what nobody has taken, in order, with its value."""
        return iter(self._open.items())


class Settings:
    """Settings by module and keyword; reading one takes it."""

    def __init__(self, wishes: Wishes, owner: str, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._wishes = wishes
        self._owner = owner
        self._values: dict[tuple[str, str], Any] = {}
        for module, table in tables.items():
            for keyword, value in Keywords().settings(module, table).items():
                self._values[module, keyword] = value
                wishes.add(self._name(module, keyword), value)

    def _name(self, module: str, keyword: str) -> str:
        return f"{self._owner}{module} {keyword}"

    def given(self, module: str, keyword: str) -> bool:
        """Tell whether the scenario sets it; this takes nothing."""
        return (module, keyword) in self._values

    def value(self, module: str, keyword: str, default: Any = None) -> Any:
        """Return the value as the scenario has it (texts, lists of texts, mappings)."""
        self._wishes.take(self._name(module, keyword))
        return self._values.get((module, keyword), default)

    def text(self, module: str, keyword: str, default: str = "") -> str:
        """Return a text."""
        return str(self.value(module, keyword, default))

    def flag(self, module: str, keyword: str, default: bool = False) -> bool:
        """Return whether it is YES."""
        text = self.text(module, keyword, "yes" if default else "no")
        return text.lower() in ("yes", "on", "1", "true")

    def number(self, module: str, keyword: str, default: int) -> int:
        """Return a number."""
        return int(self.text(module, keyword, str(default)))

    def size(self, module: str, keyword: str) -> int | None:
        """Return octets; None: unlimited, or not set."""
        text = self.text(module, keyword, "unlimited").strip().lower()
        if text in ("unlimited", "-1", ""):
            return None
        unit = _UNITS.get(text[-1], 0)
        return int(text[:-1]) * unit if unit else int(text)

    def seconds(self, module: str, keyword: str, default: str = "never") -> int | None:
        """Return a span in seconds; None: never."""
        text = self.text(module, keyword, default).strip().lower()
        if text in ("never", "-1", ""):
            return None
        unit = _SPANS.get(text[-1], 0)
        return int(text[:-1]) * unit if unit else int(text)

    def texts(self, module: str, keyword: str) -> tuple[str, ...]:
        """Return a list of texts; a text is a list of its lines."""
        value = self.value(module, keyword, ())
        if isinstance(value, str):
            value = [line for line in value.splitlines() if line.strip()]
        return tuple(str(each) for each in value)

    def choice(
        self, module: str, keyword: str, meanings: Mapping[str, Meaning], default: Meaning
    ) -> Meaning:
        """Return what the text means, by its spelling in lower case. Raises NotApplicable."""
        if not self.given(module, keyword):
            return default
        text = self.text(module, keyword).lower()
        if text not in meanings:
            raise NotApplicable(
                f"{self._name(module, keyword)} = {text}: the adapter knows what to write for "
                f"{', '.join(meanings)} only"
            )
        return meanings[text]

    def take_log_levels(self) -> None:
        """Take how much is logged: without the capability ``log`` nobody looks at it."""
        for module, keyword in self._values:
            if keyword == "LogLevel":
                self.value(module, keyword)

    def refuse(self, module: str, keyword: str, reason: str, *but: str) -> None:
        """Raise NotApplicable if it is set, to something else than ``but`` (lower case)."""
        if self.given(module, keyword) and self.text(module, keyword).lower() not in but:
            raise NotApplicable(f"{self._name(module, keyword)}: {reason}")


class SiteAccount:
    """An account; its settings are those of the module ``Account``."""

    def __init__(self, wishes: Wishes, domain: str, spec: AccountSpec) -> None:
        self.name = spec.name
        self.password = spec.password
        self.aliases = spec.aliases
        owner = f"account {spec.name}@{domain}: "
        self.settings = Settings(wishes, owner, {"Account": spec.settings} if spec.settings else {})
        self._spec = spec
        self._wishes = wishes
        self._rights = f"{owner}rights"
        if spec.rights:
            wishes.add(self._rights, spec.rights)

    @property
    def rights(self) -> frozenset[str]:
        """Administrator's rights, in lower case."""
        self._wishes.take(self._rights)
        return frozenset(right.lower() for right in self._spec.rights)

    def administers(self, *, own: bool) -> bool:
        """Tell whether it may administer its ``own`` domain, or another one."""
        return bool(self.rights & ({"master", "domain"} if own else {"master"}))


class SiteDomain:
    """A domain; its settings are those of the module ``Domain``."""

    def __init__(self, wishes: Wishes, spec: DomainSpec, *, is_main: bool) -> None:
        self.name = spec.name
        self.is_main = is_main
        self.accounts = [SiteAccount(wishes, spec.name, account) for account in spec.accounts]
        self._spec = spec
        self._wishes = wishes
        self._owner = f"domain {spec.name}: "
        self.settings = Settings(
            wishes, self._owner, {"Domain": spec.settings} if spec.settings else {}
        )
        for name in ("aliases", "forwarders", "lists", "addresses"):
            if getattr(spec, name):
                wishes.add(f"{self._owner}{name}", getattr(spec, name))

    def _take(self, name: str) -> Any:
        self._wishes.take(f"{self._owner}{name}")
        return getattr(self._spec, name)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Domain aliases."""
        return tuple(self._take("aliases"))

    @property
    def forwarders(self) -> Mapping[str, str]:
        """Name → address."""
        found: Mapping[str, str] = self._take("forwarders")
        return found

    def takers_of_mail_to_all(self) -> list[str]:
        """Return the addresses of accounts that take it, and of forwarders if they are to."""
        with_forwarders = self.settings.flag("Domain", "AllWithForwarders")
        names = [
            account.name
            for account in self.accounts
            if account.settings.flag("Account", "MailToAll", True)
        ]
        names += self.forwarders if with_forwarders else []
        return [f"{name.lower()}@{self.name.lower()}" for name in names]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Dedicated IP addresses."""
        return tuple(self._take("addresses"))


class Site:
    """All that a scenario asks for."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._wishes = Wishes()
        self.main_domain = given.main_domain
        self.addresses = given.addresses
        """The server computer's own; the first is where clients connect."""
        self.domains = [
            SiteDomain(self._wishes, spec, is_main=spec.name.lower() == given.main_domain.lower())
            for spec in given.domains
        ]
        self.settings = Settings(self._wishes, "", given.settings)
        for name in ("router", "clients", "client_names", "blacklisted", "white_holes"):
            if getattr(given, name) is not None:
                self._wishes.add(name.replace("_", " "), getattr(given, name))
        self._add_postmaster()

    def _add_postmaster(self) -> None:
        """The account postmaster of the Main Domain always exists."""
        main = next((domain for domain in self.domains if domain.is_main), None)
        if main is None:
            main = SiteDomain(self._wishes, DomainSpec(self.main_domain), is_main=True)
            self.domains.insert(0, main)
        if not any(account.name.lower() == POSTMASTER for account in main.accounts):
            spec = AccountSpec(POSTMASTER, password=DEFAULT_PASSWORD)
            main.accounts.append(SiteAccount(self._wishes, main.name, spec))

    def _take(self, name: str) -> Any:
        self._wishes.take(name.replace("_", " "))
        return getattr(self._given, name)

    @property
    def router(self) -> str:
        """The Routing Table's text; that of a fresh installation if the scenario says nothing."""
        text: str | None = self._take("router")
        return DEFAULT_ROUTER if text is None else text

    @property
    def clients(self) -> AddressList:
        """Client IP Addresses."""
        return AddressList(self._take("clients") or ())

    @property
    def client_names(self) -> tuple[str, ...]:
        """Detect Clients by DNS Name: the patterns; none: it is off."""
        names: Sequence[str] = self._take("client_names") or ()
        return tuple(names)

    @property
    def blacklisted(self) -> AddressList:
        """Blacklisted IP Addresses."""
        return AddressList(self._take("blacklisted") or ())

    @property
    def white_holes(self) -> AddressList:
        """UnBlacklistable (White Hole) IP Addresses."""
        return AddressList(self._take("white_holes") or ())

    def check(self) -> None:
        """Raise NotApplicable when something is asked for that nobody took."""
        left = [name for name, _ in self._wishes]
        if left:
            raise NotApplicable(f"the adapter cannot express: {', '.join(left)}")
