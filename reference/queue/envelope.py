"""The envelope of a message: who sent it, who is to get it, and what the sender asked for.

Guide 3.5.2, Message Transfer, Submitting Messages. An envelope is a value: what happens to a
recipient later is the queue's knowledge (:mod:`reference.queue.message`), not the envelope's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient as the submitter named it.

    ``notify`` and ``orcpt`` are the values of the DSN parameters of RCPT (RFC 3461): ``""`` when
    not given, else ``NEVER`` or a comma-separated choice of ``SUCCESS``, ``FAILURE``, ``DELAY``;
    ``orcpt`` as ``rfc822;user@host`` with the xtext encoding taken off.
    """

    address: str
    notify: str = ""
    orcpt: str = ""

    def wants(self, condition: str) -> bool:
        """Tell whether a report of ``SUCCESS``, ``FAILURE`` or ``DELAY`` is asked for.

        Without NOTIFY, failures and delays are reported, success is not (RFC 3461, 4.1).
        """
        if not self.notify:
            return condition != "SUCCESS"
        return condition in self.notify.upper().split(",")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a message came from: the submitting component, and for SMTP the client."""

    protocol: str
    """The submitting component, as ``SMTP``, ``LIST`` or ``DEQUEUER``."""
    ip: str = ""
    account: str = ""
    """The authenticated account as ``john@mycompany.com``, or empty."""
    helo: str = ""
    local_ip: str = ""
    """The server address at which it was received."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message's return path, its recipients, and the delivery options of the whole message."""

    return_path: str
    """Empty for the null return path ``<>``; reports are never sent to it."""
    recipients: Sequence[Recipient]
    source: Source
    ret: str = ""
    """``FULL`` or ``HDRS`` when the sender said what a report shall return."""
    envid: str = ""
    body: str = ""
    """``8BITMIME`` or ``7BIT`` when the sender declared the kind of body."""
