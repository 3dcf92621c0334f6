"""The one clock of the server: every wait and every time stamp goes through it.

Two clocks implement it. The reactor's clock runs with real time. The held clock (``--hold-clock``)
stands still until somebody advances it through the control socket, so a documented period of five
days is over in a moment and a test never sleeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Timer(Protocol):
    """A call that is due later; the subset of Twisted's ``IDelayedCall`` that the server uses."""

    def cancel(self) -> None:
        """Give the call up. Raises ``AlreadyCalled`` or ``AlreadyCancelled`` like Twisted's."""

    def active(self) -> bool:
        """Tell whether the call is still to come."""

    def reset(self, seconds: float) -> None:
        """Make the call due in ``seconds`` from now."""


class Clock(Protocol):
    """Time in seconds; ``time()`` is wall time as the log and Date fields show it."""

    def time(self) -> float:
        """Return the wall time, in seconds since the epoch."""

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> Timer:
        """Call ``call(*args)`` when ``seconds`` have passed on this clock."""
