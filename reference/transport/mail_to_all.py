"""Mail to all: the virtual addresses ``all@domain`` and ``alldomains@maindomain``.

Guide 3.5.2, Domains (Sending Mail To All Accounts in the Domain, … in All Domains) and Local
Delivery Module (Sending Mail to All Accounts). A domain says who may send to all of its accounts;
each domain is asked for itself. A message is stored straight in the INBOX of the accounts that
accept mail to all, past their Rules; a copy may go to the addresses of the domain's forwarders.

Who may not send gets a report, and so does who sent to an account that had no room.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred

from reference.cli.rights import Authority, as_granted
from reference.queue.delivery import Outcome, delivered, failed
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.message import QueuedMessage
from reference.queue.queue import QueueError
from reference.queue.threads import Threads
from reference.storage.domains import Account, Domain, Domains
from reference.transport.local_store import store_in_inbox

ALL = "all"
ALL_DOMAINS = "alldomains"
_NOBODY = "nobody"
#: Accounts that are written to in one go; other deliveries get their turn in between.
_BATCH = 100
#: Accounts that a report names.
_NAMED = 20
#: The source of messages that this module composes: their copies go to accounts only.
_SOURCE = "LOCAL"


def stands_for_all(name: str, domain: Domain) -> bool:
    """Tell whether a name stands for all accounts of a domain, or of all domains."""
    key = name.lower()
    virtual = key == ALL or (key == ALL_DOMAINS and domain.is_main)
    return virtual and domain.get("MailToAllAction") != _NOBODY


@dataclass(frozen=True, kw_only=True)
class MailToAll:
    """Distributes mail to all accounts."""

    domains: Domains
    threads: Threads
    is_client: Callable[[str], Awaitable[bool]]
    """Tells whether an IP address is a client's."""
    submit: Callable[[Envelope, Callable[[], Iterable[bytes]]], Deferred[str]]
    """Hands a message of one's own to the queue."""

    async def distribute(
        self, message: QueuedMessage, name: str, domain: Domain, now: float
    ) -> Outcome:
        """Store a message for everybody whom the name stands for."""
        chosen = [domain]
        if name.lower() == ALL_DOMAINS:
            found = (self.domains.get(each) for each in self.domains.names())
            chosen = [each for each in found if each is not None]
        allowed = [each for each in chosen if await self._allows(each, message.envelope.source)]
        if not allowed:
            return failed("you may not send mail to all accounts", "5.7.1")
        missed: list[str] = []
        stored = 0
        for each in allowed:
            accounts = [a for a in each.accounts.values() if a.get("MailToAll")]
            missed_here = await self._store(message, accounts, now)
            stored += len(accounts) - len(missed_here)
            missed += missed_here
            if each.get("AllWithForwarders") and message.envelope.source.protocol != _SOURCE:
                missed += await self._forward(message, each)
        if missed:
            named = "; ".join(missed[:_NAMED]) + ("; …" if len(missed) > _NAMED else "")
            return failed(f"stored for {stored} account(s), but not for {named}", "5.2.0")
        return delivered(f"stored in the INBOX of {stored} account(s)")

    async def _store(
        self, message: QueuedMessage, accounts: Sequence[Account], now: float
    ) -> list[str]:
        """Return the accounts that did not get the message, each with a reason."""
        missed = []
        for start in range(0, len(accounts), _BATCH):
            batch = accounts[start : start + _BATCH]
            for account in batch:
                account.open()
            try:
                reasons = await self.threads.run(partial(_store_all, batch, message, now))
            finally:
                for account in batch:
                    account.close()
            pairs = zip(batch, reasons, strict=True)
            missed += [f"{account.label} ({why})" for account, why in pairs if why]
        return missed

    async def _forward(self, message: QueuedMessage, domain: Domain) -> list[str]:
        """Compose a message for the forwarders; return what did not go as it should."""
        recipients = tuple(
            Recipient(_full(forwarder.address, domain)) for forwarder in domain.forwarders.values()
        )
        if not recipients:
            return []
        envelope = Envelope(message.envelope.return_path, recipients, Source(_SOURCE))
        try:
            await self.submit(envelope, message.blocks)
        except QueueError as error:
            return [f"the forwarders of {domain.name} ({error})"]
        return []

    async def _allows(self, domain: Domain, source: Source) -> bool:
        """Tell whether a message from there may go to all accounts of a domain."""
        access: str = domain.get("MailToAllAction")
        if access in (_NOBODY, "anybody"):
            return access != _NOBODY
        account = self._account(source.account)
        if access == "Clients":
            trusted = account is not None or source.protocol != "SMTP"
            return trusted or await self.is_client(source.ip)
        if account is None:
            return False
        if access == "Authenticated Users":
            return True
        if access == "Authenticated Domain Users" and account.domain is domain:
            return True
        return _administers(account, domain)

    def _account(self, label: str) -> Account | None:
        name, _, domain_name = label.rpartition("@")
        domain = self.domains.get(domain_name) if name else None
        return None if domain is None else domain.accounts.get(name.lower())


def _store_all(accounts: Sequence[Account], message: QueuedMessage, now: float) -> list[str]:
    return [store_in_inbox(account, message, now) for account in accounts]


def _administers(account: Account, domain: Domain) -> bool:
    authority = Authority(
        domain=account.domain.name,
        in_main_domain=account.domain.is_main,
        rights=as_granted(account.rights),
    )
    return authority.administers(domain.name, str(domain.get("AdminDomainName") or ""))


def _full(address: str, domain: Domain) -> str:
    return address if "@" in address or domain.is_main else f"{address}@{domain.name}"
