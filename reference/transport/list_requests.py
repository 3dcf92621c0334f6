"""The LIST module: requests to subscribe, to unsubscribe, and to change the mode, by e-mail.

Guide 3.5.2, LIST Module (Subscription Processing, Confirmation Requests, Welcome and Good Bye
Messages). A message to ``listname-on`` and its kin speaks for the address in its From field. Who
may subscribe is the list's policy; who is subscribed may always leave. With Request Confirmations
nothing is done until the confirmation ID, which is sent to the address, comes back in a Subject; it
is the address's own, the same for all its requests. Nobody answers automatic messages.

Lists have no archives here, so the digest and index modes are refused, as the document says of such
lists. Moderated subscription is refused, too: requests are not kept for the owner yet.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import getaddresses

from reference.formats.values import parse_flag
from reference.kernel.header_text import Field, fields, first
from reference.protocols.smtp_trace import date
from reference.queue.delivery import Outcome, delivered, failed
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.report import line
from reference.storage.domains import Account, Domains, MailingList
from reference.transport.list_texts import DEFAULTS, composed

#: Suffix of a list's name → the operation.
OPERATIONS = {
    "on": "subscribe",
    "subscribe": "subscribe",
    "feed": "feed",
    "digest": "digest",
    "index": "index",
    "null": "null",
    "off": "unsubscribe",
    "unsubscribe": "unsubscribe",
    "confirm": "confirm",
}
_ARCHIVED = frozenset({"digest", "index"})
_STATUS = "5.7.1"
_IDENTIFIER = re.compile(r"[0-9A-F]{4}(?:-[0-9A-F]{4}){3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of a request."""

    outcome: Outcome
    envelope: Envelope | None = None
    """Of the message that the list sends; None: it sends none."""
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A message to one of a list's addresses. :meth:`answer` does what it asks for."""

    mailing_list: MailingList
    suffix: str
    domains: Domains
    now: float
    """Seconds since the epoch."""

    def answer(self, header: bytes, return_path: str) -> Answer:
        """Do what a message with this header asks for. Raises StorageError."""
        parts = list(fields(header))
        found = [(name, each) for name, each in getaddresses(_from(parts)) if "@" in each]
        if not return_path:
            return Answer(outcome=delivered("an automatic message is no request"))
        if not found:
            return _refused("the From field of a request has no address")
        name, address = found[0]
        operation = OPERATIONS[self.suffix]
        refusal = self._refusal(operation, address)
        if refusal:
            return _refused(refusal)
        identifier = self.identifier(address)
        if operation == "confirm":
            return self._sent("Identifier", address, "the confirmation ID is sent")
        if self._confirms and not _mentions(first(parts, "subject") or "", identifier):
            return self._sent("Confirmation", address, "confirmation is requested")
        return self._done(operation, address, name)

    def identifier(self, address: str) -> str:
        """Return the confirmation ID of an address. Raises StorageError."""
        key = self.mailing_list.secret.encode()
        digest = hmac.new(key, address.lower().encode("utf-8", "surrogateescape"), hashlib.sha256)
        text = digest.hexdigest()[:16].upper()
        return "-".join(text[at : at + 4] for at in range(0, 16, 4))

    @property
    def _confirms(self) -> bool:
        return parse_flag(self._setting("Confirm") or "YES")

    def _refusal(self, operation: str, address: str) -> str:
        """Return why a request is refused, or nothing."""
        known = self.mailing_list.subscribers.get(address.lower())
        if known is not None and known.mode == "banned":
            return f"{address} is banned from the mailing list"
        if operation in ("unsubscribe", "confirm"):
            return "" if known is not None else f"{address} is not a subscriber"
        if operation in _ARCHIVED:
            return f"the mailing list has no archive, so there is no {operation} mode"
        return self._policy(address)

    def _policy(self, address: str) -> str:
        policy = (self._setting("Subscribe") or "anybody").lower()
        account = self._account(address)
        match policy.split()[0]:
            case "anybody":
                admitted = True
            case "locals":
                admitted = account is not None
            case "this":
                admitted = account is not None and account.domain is self.mailing_list.domain
            case _:
                admitted = False
        return "" if admitted else f"{address} may not subscribe to the mailing list"

    def _account(self, address: str) -> Account | None:
        local, _, name = address.rpartition("@")
        domain = self.domains.get(name)
        found = domain.find(local) if domain is not None else None
        return found if isinstance(found, Account) else None

    def _done(self, operation: str, address: str, name: str) -> Answer:
        known = self.mailing_list.subscribers.get(address.lower())
        if operation == "unsubscribe":
            self.mailing_list.unsubscribe(address)
            return self._sent("Bye", address, f"{address} is unsubscribed")
        if operation == "subscribe":
            operation = known.mode if known is not None else self._setting("DefaultMode") or "feed"
        if operation.lower() in _ARCHIVED:
            operation = "feed"
        real_name = known.real_name if known is not None else name
        self.mailing_list.subscribe(address, mode=operation, real_name=real_name)
        if known is not None:
            return Answer(outcome=delivered(f"{address} is in the mode {operation}"))
        return self._sent("Policy", address, f"{address} is subscribed")

    def _sent(self, what: str, address: str, outcome: str) -> Answer:
        """Return an answer with the message that a service text makes."""
        mailing_list = self.mailing_list
        domain = mailing_list.domain.name
        values = {
            "N": mailing_list.name,
            "D": domain,
            "E": self._setting("Description"),
            "A": address,
            "I": self.identifier(address),
            "O": self.suffix,
            "P": _words(OPERATIONS[self.suffix]),
        }
        subject, text = (
            composed(self._setting(what + part) or DEFAULTS[what + part], values)
            for part in ("Subject", "Text")
        )
        own = f"{mailing_list.name}-{self.suffix}@{domain}"
        header = (
            f"From: <{own}>",
            f"Reply-To: <{own}>",
            f"To: <{address}>",
            f"Subject: {subject}",
            f"Date: {date(self.now)}",
            "Precedence: list",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        )
        lines = [*map(line, header), "", *re.split(r"\r\n|\r|\n", text)]
        return Answer(
            outcome=delivered(outcome),
            envelope=Envelope("", (Recipient(address, notify="NEVER"),), Source("LIST")),
            content="".join(f"{each}\r\n" for each in lines).encode("utf-8", "surrogateescape"),
        )

    def _setting(self, keyword: str) -> str:
        value = self.mailing_list.settings.get(keyword, "")
        return value if isinstance(value, str) else ""


def _from(parts: Sequence[Field]) -> list[str]:
    return [part.value for part in parts if part.name == "from"]


def _words(operation: str) -> str:
    """Return what ``^P`` stands for."""
    return operation if operation in ("subscribe", "unsubscribe") else f"subscribe({operation})"


def _mentions(subject: str, identifier: str) -> bool:
    found = _IDENTIFIER.findall(subject.upper())
    return any(hmac.compare_digest(each, identifier) for each in found)


def _refused(text: str) -> Answer:
    return Answer(outcome=failed(text, _STATUS))
