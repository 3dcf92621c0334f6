"""References: whether what a step names exists in the scenario's world."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from conformance.scenario.complaints import Complaints, Placed, suggest
from conformance.scenario.model import Given


class References:
    """Looks names up in ``given`` and among the fixtures; complains of those that are not there."""

    def __init__(self, given: Given, messages: Collection[str], complaints: Complaints) -> None:
        self._given = given
        self._messages = messages
        self._complaints = complaints

    def account(
        self, place: Placed, account: str, *, instead: str = "or give its “password” here"
    ) -> None:
        """Check that the account, by name or alias, is one of ``given``."""
        main = self._given.main_domain
        known = [
            f"{name}@{domain.name}".lower()
            for domain in self._given.domains
            for one in domain.accounts
            for name in (one.name, *one.aliases)
        ]
        known.append(f"postmaster@{main}".lower())
        wanted = account.lower() if "@" in account else f"{account}@{main}".lower()
        domains = {
            alias.lower(): domain.name.lower()
            for domain in self._given.domains
            for alias in domain.aliases
        }
        name, _, domain_name = wanted.rpartition("@")
        if f"{name}@{domains.get(domain_name, domain_name)}" not in known:
            self._complaints.add(
                place,
                f"the account “{account}” is not in given{suggest(account, known)}; "
                f"add it there, {instead}",
            )

    def peer(self, place: Placed, name: str) -> bool:
        """Check that a peer is one of ``given``."""
        names = [peer.name for peer in self._given.peers]
        if name in names:
            return True
        hint = suggest(name, names, otherwise=f"; peers are {', '.join(names)}" if names else "")
        self._complaints.add(
            place, f"“{name}” is no peer of this scenario{hint}; peers stand in given"
        )
        return False

    def mailbox(self, place: Placed, host: str, account: str) -> None:
        """Check that a peer is a POP3 host with this mailbox."""
        if self.peer(place, host):
            names = next(peer.mailboxes for peer in self._given.peers if peer.name == host)
            if account not in names:
                hint = suggest(account, sorted(names))
                self._complaints.add(place, f"{host} has no mailbox “{account}”{hint}")

    def peers(self, place: Placed, names: Iterable[str]) -> None:
        """Check that all these peers are of ``given``."""
        for name in names:
            self.peer(place, name)

    def server_address(self, place: Placed, address: str) -> None:
        """Check that an address is one of the server computer's."""
        if address not in self._given.addresses:
            self._complaints.add(
                place,
                f"{address} is no address of the server computer "
                f"({', '.join(self._given.addresses)}); add it to “addresses” of given",
            )

    def message(self, place: Placed, name: str) -> None:
        """Check that a fixture exists."""
        if name not in self._messages:
            hint = suggest(name, self._messages)
            self._complaints.add(place, f"there is no “{name}” in fixtures/messages/{hint}")
