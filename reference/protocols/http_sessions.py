"""WebUser Sessions: who has logged in with a browser, and from where.

Guide 3.5.2, WebUser Interface (Account Access and WebUser Sessions) and Web Application. A session
is known by an identifier in every URL, ``/Session/ID/page``, answers only the address that logged
in, and ends after a while without requests, or when the user asks for the Bye page. Nothing is kept
on the disk: a restart of the server ends all sessions.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass

from reference.kernel.access import Login
from reference.kernel.clock import Clock, Timer

#: Seconds without a request after which a session ends.
INACTIVITY = 600.0


@dataclass(frozen=True, slots=True)
class _Session:
    login: Login
    ip: str
    timer: Timer


class WebSessions:
    """The sessions that are open."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._open: dict[str, _Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, login: Login, ip: str) -> str:
        """Open a session and return its identifier; the login is left when the session ends."""
        name = f"{next(self._numbers)}-{secrets.token_hex(12)}"
        timer = self._clock.call_later(INACTIVITY, self.end, name)
        self._open[name] = _Session(login, ip, timer)
        return name

    def find(self, name: str, ip: str) -> Login | None:
        """Return whose session it is, and keep it open; None for others' and unknown ones."""
        session = self._open.get(name)
        if session is None or session.ip != ip:
            return None
        session.timer.reset(INACTIVITY)
        return session.login

    def end(self, name: str) -> None:
        """Close a session; harmless for one that is closed."""
        session = self._open.pop(name, None)
        if session is None:
            return
        if session.timer.active():
            session.timer.cancel()
        session.login.leave()
