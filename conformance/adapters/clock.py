"""A clock for servers that know only the computer's: libfaketime(1), preloaded into their programs.

All programs of a session read one file of the session, ``clock``, each time that they look at the
time; it says by how many seconds their time is ahead. Times of files stay true, so what a server
writes into them (as the time of the next attempt) is its own time. Only looking is changed: a
program that sleeps until a moment does not wake earlier, so a session has to wake its server and
must say ``needs real time`` where it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from conformance.adapters.sandbox import INSIDE, Sandbox

PACKAGE = "libfaketime"
_PLACES = ("/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1")
#: What must reach a server's programs through whatever cleans their environment.
VARIABLES = (
    "LD_PRELOAD",
    "FAKETIME_TIMESTAMP_FILE",
    "FAKETIME_NO_CACHE",
    "FAKETIME_DONT_FAKE_MONOTONIC",
    "NO_FAKE_STAT",
)


def library() -> str:
    """Return the path of libfaketime; empty if it is not installed."""
    root = Path("/")
    found = [path for place in _PLACES for path in sorted(root.glob(place.lstrip("/")))]
    return str(found[0]) if found else ""


class FakeClock:
    """The clock of one session."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.ahead = 0.0
        """Seconds by which the server's time is ahead."""
        self.move(0.0)

    def move(self, seconds: float) -> None:
        """Put the server's time forward."""
        self.ahead += seconds
        fresh = self._sandbox.folder / "clock.new"
        fresh.write_text(f"{self.ahead:+.3f}\n", encoding="ascii")
        # In one step, for a program may be reading.
        fresh.rename(self._sandbox.folder / "clock")

    def environment(self) -> Mapping[str, str]:
        """Return the variables that make programs look at this clock."""
        return {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": f"{INSIDE}/clock",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
