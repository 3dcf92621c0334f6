"""Which addresses are the server's clients, and which are blacklisted.

An address is a *client address* when it is in the Client IP Addresses list, when its DNS name says
so (Detect Clients by DNS Name), or for some time around a login from it (Relaying for Mobile
Users). The first two are *fixed*: every login and every blacklist check takes them for listed. A
temporary one counts for relaying alone and never shows in the list.

The lists are asked in this order, and the first that speaks decides: Client IP Addresses, clients
by DNS name, UnBlacklistable (White Hole) IP Addresses, Blacklisted IP Addresses. What is in none
of them is blacklisted by its DNS name or by an RBL server, unless its DNS name is unblacklisted.
The DNS is not asked for what decides nothing any more; one PTR question serves all lists of names.

Guide 3.5.2, Protection. The lists are kept as the administrator typed them, in the files
``ClientIPs``, ``BlacklistedIPs`` and ``WhiteHoleIPs`` of the Settings directory. Nothing here
decides about relaying (:mod:`reference.kernel.relay`) or logins (:mod:`reference.kernel.access`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Collection, Iterable
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path
from typing import Any, Protocol

from reference.kernel.clock import Clock
from reference.kernel.iplist import AddressList, AddressSyntaxError
from reference.kernel.rbl import listed_by
from reference.storage.errors import FileError
from reference.storage.files import encode, make_folder, read_text, replace_file


class AddressTable(enum.Enum):
    """The address lists that an administrator keeps; the value is the file's name."""

    CLIENTS = "ClientIPs"
    BLACKLISTED = "BlacklistedIPs"
    WHITE_HOLES = "WhiteHoleIPs"


class Names(Protocol):
    """What is asked of the Domain Name System; what cannot be had is an empty list."""

    def ptr(self, ip: str, /) -> Awaitable[list[str]]:
        """Return the names of an address, or none."""

    def a(self, name: str, /, *, quick: bool = False) -> Awaitable[list[str]]:
        """Return the addresses of a name, or none."""


class SettingsReader(Protocol):
    """The part of the settings that this module reads."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


class Standing(enum.Enum):
    """What a remote address is to the server, temporary client addresses left aside."""

    STRANGER = "stranger"
    LISTED = "listed client"
    BY_NAME = "client by its DNS name"
    BLACKLISTED = "blacklisted"

    @property
    def client(self) -> bool:
        """Tell whether it is a fixed client address."""
        return self in (Standing.LISTED, Standing.BY_NAME)


@dataclass(slots=True)
class _Visits:
    """The logins from one address."""

    open: int = 0
    until: float = 0.0
    """When the address stops being a client after the last session was closed."""


class Visit:
    """One session of a mobile user; its address is a client until some time after ``leave()``."""

    __slots__ = ("_protection", "_visits")

    def __init__(self, protection: Protection, visits: _Visits) -> None:
        self._protection: Protection | None = protection
        self._visits = visits

    def leave(self) -> None:
        """End the session (again is harmless); the expiration time starts now."""
        protection, self._protection = self._protection, None
        if protection is not None:
            protection._left(self._visits)


class Protection:
    """The address lists, detection by name, and the temporary client addresses."""

    def __init__(
        self,
        *,
        folder: Path,
        settings: SettingsReader,
        names: Names,
        clock: Clock,
        own_addresses: Collection[str] = (),
    ) -> None:
        """Read the lists from ``folder``; ``own_addresses`` are the server computer's own.

        Raises FileError for a list that cannot be read.
        """
        self._folder = folder
        self._settings = settings
        self._names = names
        self._clock = clock
        self.own_addresses = frozenset(own_addresses)
        self._lists = {table: self._read(table) for table in AddressTable}
        self._visits: dict[str, _Visits] = {}  # in the order of the last login

    # The lists

    def table(self, table: AddressTable) -> AddressList:
        """Return one of the lists; its ``text`` is what the administrator entered."""
        return self._lists[table]

    def replace(self, table: AddressTable, text: str) -> None:
        """Set one of the lists. Raises AddressSyntaxError or FileError and changes nothing then."""
        parsed = AddressList.parse(text)
        make_folder(self._folder)
        replace_file(self._folder / table.value, encode(text))
        self._lists[table] = parsed

    def _read(self, table: AddressTable) -> AddressList:
        path = self._folder / table.value
        try:
            return AddressList.parse(read_text(path) or "")
        except AddressSyntaxError as error:
            raise FileError(f"{path}: {error}") from error

    # Standing

    def standing_now(self, ip: str) -> Standing | None:
        """Return the standing of an address, or None when it takes a look into the DNS."""
        if ip in self._lists[AddressTable.CLIENTS]:
            return Standing.LISTED
        if self._on("DetectClientsByName"):
            return None
        by_address = self._by_address(ip)
        looks = self._on("UseBlacklistingDNS") or self._on("BlacklistByName")
        return by_address if by_address is not None or looks else Standing.STRANGER

    async def standing(self, ip: str) -> Standing:
        """Return the standing of an address; asks the DNS where that decides.

        Guide 3.5.2, Protection, Specifying Client IP Domains: the PTR name must match one of the
        strings, and an A record of that name must lead back to the address. The names of Blacklist
        by DNS Name and UnBlacklist by DNS Name need no such record.
        """
        known = self.standing_now(ip)
        if known is not None:
            return known
        owner = _Owner(ip, self._names)
        by_address = await self._by_name(owner) or self._by_address(ip)
        if by_address is not None:
            return by_address
        listed = await self._matching(owner, "BlacklistByName", "BlacklistedNames")
        if not listed and self._on("UseBlacklistingDNS"):
            listed = await listed_by(ip, self._get("RBLServers"), self._names)
        if listed and not await self._matching(owner, "UnBlacklistByName", "UnBlacklistedNames"):
            return Standing.BLACKLISTED
        return Standing.STRANGER

    async def standing_at_login(self, ip: str) -> Standing:
        """Return whether an address is a client's; the black lists are for mail alone."""
        if ip in self._lists[AddressTable.CLIENTS]:
            return Standing.LISTED
        return await self._by_name(_Owner(ip, self._names)) or Standing.STRANGER

    async def _by_name(self, owner: _Owner) -> Standing | None:
        name = await self._matching(owner, "DetectClientsByName", "ClientNames")
        confirmed = name and owner.ip in await self._names.a(name)
        return Standing.BY_NAME if confirmed else None

    def _by_address(self, ip: str) -> Standing | None:
        """Return what the UnBlacklistable and Blacklisted lists say, None if they say nothing."""
        if ip in self._lists[AddressTable.WHITE_HOLES]:
            return Standing.STRANGER
        if ip in self._lists[AddressTable.BLACKLISTED]:
            return Standing.BLACKLISTED
        return None

    async def _matching(self, owner: _Owner, option: str, strings: str) -> str:
        """Return a name of an address that matches the strings, if the option is on."""
        patterns = NamePatterns(self._get(strings)) if self._on(option) else None
        if not patterns:
            return ""
        return next((name for name in await owner.names() if name in patterns), "")

    def _get(self, keyword: str) -> Any:
        return self._settings.get("Protection", keyword)

    def _on(self, keyword: str) -> bool:
        return bool(self._get(keyword))

    def blacklisted(self, ip: str) -> bool:
        """Tell whether an address counts as blacklisted by the lists of addresses alone.

        Client addresses are never checked by any method, UnBlacklistable ones are on no list.
        """
        listed = self._by_address(ip) is Standing.BLACKLISTED
        return listed and ip not in self._lists[AddressTable.CLIENTS]

    def is_own(self, ip: str) -> bool:
        """Tell whether a connection comes from the server computer itself."""
        return ip in self.own_addresses

    def hosts_are_clients(self, ips: Iterable[str]) -> bool:
        """Tell whether all these addresses (there must be one) are in the Client list."""
        clients = self._lists[AddressTable.CLIENTS]
        found = [ip in clients for ip in ips]
        return bool(found) and all(found)

    # Temporary client addresses

    def visit(self, ip: str) -> Visit:
        """Begin a mobile user's session from an address that is no fixed client.

        Guide 3.5.2, Protection, The Read-then-Send method. When more addresses are remembered than
        ``Remember up to``, the one whose last login is the longest ago is forgotten, those without
        an open session first.
        """
        visits = self._visits.pop(ip, None) or _Visits()
        visits.open += 1
        self._visits[ip] = visits
        self._forget()
        return Visit(self, visits)

    def is_temporary(self, ip: str) -> bool:
        """Tell whether the address is a temporary client address now."""
        visits = self._visits.get(ip)
        if visits is None or not self._settings.get("Protection", "ProcessAsClient"):
            return False
        return visits.open > 0 or self._clock.time() < visits.until

    def _left(self, visits: _Visits) -> None:
        visits.open -= 1
        lasts = self._settings.get("Protection", "ProcessAsClientFor")
        visits.until = self._clock.time() + float(lasts)
        self._forget()

    def _forget(self) -> None:
        now = self._clock.time()
        for ip in [ip for ip, v in self._visits.items() if not v.open and v.until <= now]:
            del self._visits[ip]
        surplus = len(self._visits) - int(self._settings.get("Protection", "RememberClients"))
        if surplus > 0:
            oldest = sorted(self._visits, key=lambda ip: self._visits[ip].open > 0)
            for ip in oldest[:surplus]:
                del self._visits[ip]


class _Owner:
    """Whose an address is: its names, which are asked for once at most."""

    def __init__(self, ip: str, names: Names) -> None:
        self.ip = ip
        self._names = names
        self._found: list[str] | None = None

    async def names(self) -> list[str]:
        if self._found is None:
            self._found = await self._names.ptr(self.ip)
        return self._found


class NamePatterns:
    """Host names with ``*`` wildcards; letter case does not matter."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_pattern(text.strip()) for text in patterns if text.strip()]

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def __contains__(self, name: str) -> bool:
        name = name.rstrip(".").lower()
        return any(pattern.match(name) for pattern in self._patterns)


def _pattern(text: str) -> re.Pattern[str]:
    # Only the asterisk is special: "?" and "[" of the shell's patterns stand for themselves.
    escaped = re.sub(r"([\[\]?])", r"[\1]", text.rstrip(".").lower())
    return re.compile(translate(escaped))
