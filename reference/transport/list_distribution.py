"""The LIST module: postings to all subscribers, and requests to where they are answered.

Guide 3.5.2, LIST Module, Processing Messages and FEED Mode Distribution. A posting becomes a
message of its own: the author's From, Date, Message-ID and Subject, the list in To, the body as it
was. Its return path is the list's ``-admin`` address, so reports about subscribers reach the owner.
Digest and index subscribers are served as feed subscribers. A posting that the list itself has
distributed before is refused.

Who may post is not judged here yet, and nothing is archived.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred

from reference.kernel.clock import Clock
from reference.queue.delivery import Entry, Outcome, delivered, failed
from reference.queue.directory import Log
from reference.queue.envelope import Envelope, Recipient, Source
from reference.queue.message import BLOCK, QueuedMessage
from reference.queue.queue import Queue
from reference.queue.report import line
from reference.storage.domains import Domains, MailingList
from reference.storage.errors import StorageError
from reference.transport.list_requests import Request

#: Seconds until a posting that could not be stored is tried again.
RETRY = 600.0
#: Subscribers that get no postings.
SILENT_MODES = frozenset({"null", "banned"})
_KEPT = re.compile(
    rb"(?:from|date|message-id|subject|in-reply-to|references|mime-version|content-[!-9;-~]+)"
    rb"[ \t]*:",
    re.IGNORECASE,
)
_FIELD_END = re.compile(rb"\r\n(?![ \t])")


class ListDistribution:
    """The module ``LIST`` of the queue."""

    name = "LIST"

    def __init__(self, *, domains: Domains, clock: Clock, log: Log, queue: Queue) -> None:
        self._domains = domains
        self._clock = clock
        self._log = log
        self._queue = queue

    def enqueue(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        """Distribute a posting, and do what a request asks for."""
        postings = [entry for entry in entries if not entry.address]
        if postings:
            self._post(message, host, postings)
        for entry in entries:
            if entry.address:
                self._request(message, host, entry)

    def _request(self, message: QueuedMessage, host: str, entry: Entry) -> None:
        mailing_list = self._find(host)
        if mailing_list is None:
            outcome = failed("unknown mailing list", "5.1.1")
            self._queue.dequeuer.report(message, [entry.index], outcome)
            return
        request = Request(
            mailing_list=mailing_list,
            suffix=entry.address,
            domains=self._domains,
            now=self._clock.time(),
        )
        try:
            answer = request.answer(message.header(), message.envelope.return_path)
        except (StorageError, OSError) as error:
            self._later(message, host, [entry], str(error))
            return

        def answered(_: object) -> None:
            self._log.write(2, f"LIST({host})", f"[{message.name}] {answer.outcome.text}")
            self._queue.dequeuer.report(message, [entry.index], answer.outcome)

        if answer.envelope is None:
            answered(None)
            return
        self._queue.submit(answer.envelope, answer.content).addCallback(answered).addErrback(
            lambda failure: self._later(message, host, [entry], str(failure.value))
        )

    def _post(self, message: QueuedMessage, host: str, entries: Sequence[Entry]) -> None:
        indexes = [entry.index for entry in entries]
        reports = self._queue.dequeuer
        mailing_list = self._find(host)
        if mailing_list is None:
            reports.report(message, indexes, failed("unknown mailing list", "5.1.1"))
            return
        try:
            parts = _Posting(mailing_list, message)
        except (StorageError, OSError) as error:
            self._later(message, host, entries, str(error))
            return
        refusal = parts.refusal()
        if refusal is not None:
            reports.report(message, indexes, refusal)
        elif not parts.recipients:
            reports.report(message, indexes, delivered("no subscribers"))
        else:
            self._submit(parts, message, host, entries)

    def release(self, host: str) -> bool:
        """Nothing waits in a list's queue but what failed to be stored."""
        return False

    def _submit(
        self, parts: _Posting, message: QueuedMessage, host: str, entries: Sequence[Entry]
    ) -> None:
        def stored(name: str) -> None:
            text = f"posted to {len(parts.recipients)} subscriber(s) as [{name}]"
            self._log.write(2, f"LIST({host})", f"[{message.name}] {text}")
            indexes = [entry.index for entry in entries]
            self._queue.dequeuer.report(message, indexes, delivered(text))

        envelope = Envelope(parts.return_path, parts.recipients, Source("LIST"))
        submitted: Deferred[str] = self._queue.submit(envelope, parts.content)
        submitted.addCallback(stored).addErrback(
            lambda failure: self._later(message, host, entries, str(failure.value))
        )

    def _later(self, message: QueuedMessage, host: str, entries: Sequence[Entry], why: str) -> None:
        self._log.write(1, f"LIST({host})", f"[{message.name}] not posted: {why}")
        self._clock.call_later(RETRY, self.enqueue, message, host, entries)

    def _find(self, label: str) -> MailingList | None:
        name, _, domain_name = label.partition("@")
        domain = self._domains.get(domain_name)
        return None if domain is None else domain.lists.get(name.lower())


class _Posting:
    """What a list makes of a message. Raises StorageError and OSError."""

    def __init__(self, mailing_list: MailingList, message: QueuedMessage) -> None:
        self._message = message
        domain = mailing_list.domain.name
        self.address = f"{mailing_list.name}@{domain}"
        self.return_path = f"{mailing_list.name}-admin@{domain}"
        self.list_id = f"<{mailing_list.name}.{domain}>"
        description = mailing_list.settings.get("Description", "")
        self._description = line(description) if isinstance(description, str) else ""
        self.recipients = tuple(
            Recipient(subscriber.address)
            for subscriber in mailing_list.subscribers.values()
            if subscriber.mode not in SILENT_MODES
        )
        self._header = message.header()

    def refusal(self) -> Outcome | None:
        """Return why the message is not distributed, or None."""
        if len(self._header) >= BLOCK:
            return failed("the message header is too long", "5.6.0")
        seen = re.search(rb"^list-id:(.*)$", self._header, re.IGNORECASE | re.MULTILINE)
        if seen is not None and self.list_id.encode() in seen[1]:
            return failed("mail loop: the list has distributed this message", "5.4.6")
        return None

    def content(self) -> Iterator[bytes]:
        """Give the message to distribute in blocks; in a thread. Raises OSError."""
        yield self._new_header() + b"\r\n"
        skip = len(self._header) + 2
        for block in self._message.blocks():
            yield block[skip:]
            skip = max(0, skip - len(block))

    def _new_header(self) -> bytes:
        fields = [each for each in _FIELD_END.split(self._header) if _KEPT.match(each)]
        quoted = self._description.replace("\\", "\\\\").replace('"', '\\"')
        to = f'"{quoted}" <{self.address}>' if quoted else f"<{self.address}>"
        added = (
            f"To: {to}",
            f"Sender: <{self.return_path}>",
            f"List-Id: {self.list_id}",
            f"List-Post: <mailto:{self.address}>",
            "Precedence: list",
        )
        fields += [each.encode("utf-8", "surrogateescape") for each in added]
        return b"".join(each + b"\r\n" for each in fields)
