"""The Received field that the receiver puts on top of every message.

RFC 5321, 4.4. It names who sent it (by its own word, by its address and, after AUTH, by its
account), who got it, the protocol, the queue's number, the only recipient, and the time by the
server's clock.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from functools import lru_cache

_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a Received field tells."""

    helo: str
    ip: str
    host: str
    protocol: str
    """``SMTP``, ``ESMTP``, ``ESMTPS``, ``ESMTPA`` or ``ESMTPSA`` (RFC 3848); ``POP`` for XMIT."""
    id: str
    time: float
    """In seconds since the epoch."""
    account: str = ""
    recipient: str = ""
    """The recipient if there is one only: the others' business is nobody's."""
    helo_holds: bool | None = None
    """Whether the name that the client gave leads to its address; None: nobody has looked."""

    def field(self) -> bytes:
        """Return the field with its line ends."""
        account = f" (account {_comment(self.account)} verified)" if self.account else ""
        wanted = f"\r\n  for <{self.recipient}>" if _plain(self.recipient) else ""
        return (
            f"Received: from {self._origin()}{account}\r\n"
            f"  by {self.host} (SMTP)\r\n"
            f"  with {self.protocol} id {self.id}{wanted}; {date(self.time)}\r\n"
        ).encode("ascii", "replace")

    def _origin(self) -> str:
        helo = _UNSAFE.sub("?", self.helo)[:255] or f"[{self.ip}]"
        if self.helo_holds is False:
            return f"[{self.ip}] (HELO {helo})"
        return f"{helo} ([{self.ip}]{' verified' if self.helo_holds else ''})"


def protocol(*, extended: bool, secure: bool, authenticated: bool) -> str:
    """Return the protocol's name for the Received field (RFC 3848)."""
    if not extended:
        return "SMTP"
    return f"ESMTP{'S' if secure else ''}{'A' if authenticated else ''}"


def date(seconds: float) -> str:
    """Return a time as mail fields show it, in UTC: ``Mon, 01 Apr 2002 10:00:00 +0000``."""
    return _date(math.floor(seconds))


@lru_cache(16)
def _date(seconds: int) -> str:
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"
    )


def _comment(text: str) -> str:
    return re.sub(r"[()\\]", "?", text)


def _plain(address: str) -> bool:
    return bool(address) and address.isascii() and address.isprintable() and len(address) < 512
