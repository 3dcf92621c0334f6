"""The LIST module's part in routing.

Guide 3.5.2, LIST Module, Routing. On the first call, before anybody looks for an account, the
module takes ``listname@domain`` when the list exists, with the suffixes of subscription requests
too, and changes ``listname-admin`` and ``listname-request`` into the list owner's address. The
address in a list's queue is empty for a posting and the suffix for a request.

What happens to a posting is :mod:`reference.transport.list_distribution`'s business.
"""

from __future__ import annotations

from reference.kernel.routes import Accept, Address, Rewrite
from reference.storage.domains import Domain, Domains, MailingList
from reference.transport.list_requests import OPERATIONS

#: Local parts that lead to the owner of a list.
OWNER_SUFFIXES = ("-admin", "-request")


class ListRouting:
    """The routing module ``LIST``."""

    name = "LIST"

    def __init__(self, *, domains: Domains) -> None:
        self._domains = domains

    def route(self, address: Address, *, final: bool) -> Accept | Rewrite | None:
        """Take a list's address, change its owner's, leave all others. Raises StorageError."""
        domain = None if final else self._domains.get(address.domain)
        if domain is None:
            return None
        found = domain.find(address.local)
        if isinstance(found, MailingList):
            return Accept(label_of(found), "")
        if found is not None:
            return None
        local = address.local.lower()
        return _owner(local, domain) or _request(local, domain)


def _request(local: str, domain: Domain) -> Accept | None:
    name, mark, suffix = local.rpartition("-")
    mailing_list = domain.lists.get(name)
    if not mark or mailing_list is None or suffix not in OPERATIONS:
        return None
    return Accept(label_of(mailing_list), suffix)


def label_of(mailing_list: MailingList) -> str:
    """Return the name of a list's queue: ``sports`` in the Main Domain, else ``sports@x.com``."""
    domain = mailing_list.domain
    return mailing_list.name if domain.is_main else f"{mailing_list.name}@{domain.name}"


def _owner(local: str, domain: Domain) -> Rewrite | None:
    for suffix in OWNER_SUFFIXES:
        mailing_list = domain.lists.get(local.removesuffix(suffix))
        if mailing_list is not None and local.endswith(suffix):
            address = f"{mailing_list.owner}@{domain.name}"
            return Rewrite(address, f"owner of the list {mailing_list.name}@{domain.name}")
    return None
