"""Delivery status notifications (RFC 3464): what the Dequeuer writes to a sender.

Guide 3.5.2, Message Transfer, Dequeueing. A report has three parts: a text for people, the status
of each recipient for programs, and the original message or its header. This module is pure; it
makes the octets before and after the original, which the caller copies in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate

from reference.queue.delivery import Outcome, Result
from reference.queue.envelope import Envelope, Recipient

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_SUBJECTS = {
    Result.FAILED: "Undeliverable mail",
    Result.DELAYED: "Delayed mail",
    Result.RELAYED: "Relayed mail",
    Result.DELIVERED: "Delivered mail",
}
_OPENINGS = {
    Result.FAILED: "could not be delivered",
    Result.DELAYED: "could not be delivered yet; the server goes on trying",
    Result.RELAYED: "was passed on to a host that sends no delivery reports",
    Result.DELIVERED: "was delivered",
}


#: The worst result heads the report.
_WORST_FIRST = (Result.FAILED, Result.DELAYED, Result.RELAYED, Result.DELIVERED)


@dataclass(frozen=True, slots=True)
class Ended:
    """One recipient of a report and what became of it."""

    recipient: Recipient
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one report is about."""

    host: str
    """The Main Domain name of the reporting server."""
    name: str
    """A word that no other report has: it makes the Message-ID and the boundary."""
    to: str
    """Who gets the report."""
    envelope: Envelope
    submitted: float
    """When the original message was submitted, in seconds since the epoch."""
    now: float
    subject: str
    """The original message's subject, or empty."""
    recipients: Sequence[Ended]
    whole: bool
    """Return the whole message rather than its header."""

    @property
    def worst(self) -> Result:
        """Return the result that heads the report."""
        results = {ended.outcome.result for ended in self.recipients}
        return next(result for result in _WORST_FIRST if result in results)


def before(report: Report) -> bytes:
    """Return the report up to the place where the original message (or its header) is copied in."""
    boundary = _boundary(report)
    lines = [
        *_header(report, boundary),
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        *_text(report),
        "",
        f"--{boundary}",
        "Content-Type: message/delivery-status",
        "",
        *_status(report),
        "",
        f"--{boundary}",
        f"Content-Type: {'message/rfc822' if report.whole else 'text/rfc822-headers'}",
        "Content-Transfer-Encoding: 8bit",
        "",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def after(report: Report) -> bytes:
    """Return the report's end."""
    return f"\r\n--{_boundary(report)}--\r\n".encode()


def subject_of(header: bytes) -> str:
    """Return the subject of a header, unfolded; empty if there is none or it is not ASCII."""
    found = re.search(rb"^subject:((?:[^\r\n]|\r\n[ \t])*)", header, re.IGNORECASE | re.MULTILINE)
    if found is None or not found[1].isascii():
        return ""
    return line(found[1].decode("ascii").replace("\r\n", "")).strip()


def line(text: str) -> str:
    """Return a text that fits on one line: runs of control characters become one space."""
    return _CONTROLS.sub(" ", text)


def full(address: str, host: str) -> str:
    """Return an address on one line, with the Main Domain's name if it has no domain."""
    plain = line(address)
    return plain if "@" in plain else f"{plain}@{host}"


def _boundary(report: Report) -> str:
    return f"_report_{report.name}_"


def _header(report: Report, boundary: str) -> Iterable[str]:
    subject = _SUBJECTS[report.worst] + (f": {report.subject}" if report.subject else "")
    return (
        f"From: Mail Delivery Subsystem <MAILER-DAEMON@{report.host}>",
        f"To: <{full(report.to, report.host)}>",
        f"Subject: {subject}",
        f"Date: {formatdate(report.now)}",
        f"Message-ID: <report-{report.name}@{report.host}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f'\tboundary="{boundary}"',
    )


def _text(report: Report) -> Iterable[str]:
    for result in _WORST_FIRST:
        group = [ended for ended in report.recipients if ended.outcome.result is result]
        if not group:
            continue
        yield f"Your message {_OPENINGS[result]}:"
        yield ""
        for ended in group:
            yield f"  <{line(ended.recipient.address)}>"
            yield f"    {line(ended.outcome.text)}"
            if ended.outcome.diagnostic:
                yield f"    {line(ended.outcome.diagnostic)}"
        yield ""


def _status(report: Report) -> Iterable[str]:
    if report.envelope.envid:
        yield f"Original-Envelope-Id: {line(report.envelope.envid)}"
    yield f"Reporting-MTA: dns; {report.host}"
    yield f"Arrival-Date: {formatdate(report.submitted)}"
    for ended in report.recipients:
        outcome = ended.outcome
        yield ""
        if ended.recipient.orcpt:
            yield f"Original-Recipient: {line(ended.recipient.orcpt)}"
        yield f"Final-Recipient: rfc822; {full(ended.recipient.address, report.host)}"
        yield f"Action: {outcome.result.value}"
        yield f"Status: {outcome.status}"
        if outcome.remote:
            yield f"Remote-MTA: dns; {line(outcome.remote)}"
        yield f"Diagnostic-Code: {line(outcome.diagnostic or f'x-local; {outcome.text}')}"
