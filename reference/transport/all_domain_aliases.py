"""All-Domain Aliases: names that lead elsewhere in every local domain.

Guide 3.5.2, Local Delivery Module, All-Domain Aliases. The table is looked at as soon as an address
is one of a local domain, before anybody asks whether the domain has a list or an account of that
name; letter case does not matter. An alias that leads to itself is a routing loop, which the Router
finds. Addresses with the suffixes ``.local`` and ``.domain`` are in no local domain, so they are a
way round the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from reference.kernel.routes import Address, Rewrite
from reference.storage.domains import Domains


class Settings(Protocol):
    """The part of the settings that routing reads."""

    def get(self, module: str, keyword: str, /) -> Any:
        """Return the typed value of a setting."""


class AllDomainAliases:
    """The part of the module ``LOCAL`` that changes addresses for all domains."""

    name = "LOCAL"

    def __init__(self, *, domains: Domains, settings: Settings) -> None:
        self._domains = domains
        self._settings = settings
        self._table: Mapping[str, str] = {}
        self._known: Mapping[str, str] = {}

    def route(self, address: Address, *, final: bool) -> Rewrite | None:
        """Change an address of a local domain whose local part is in the table."""
        if final:
            return None
        target = self._targets().get(address.local.lower())
        if target is None or self._domains.get(address.domain) is None:
            return None
        return Rewrite(target, f"all-domain alias {address.local}", relay=True)

    def _targets(self) -> Mapping[str, str]:
        table: Mapping[str, str] = self._settings.get("LOCAL", "AllDomainAliases")
        if table is not self._table:
            self._table = table
            self._known = {name.lower(): target for name, target in table.items()}
        return self._known
