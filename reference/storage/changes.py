"""How often the names of domains and objects have changed: whoever remembers a route asks.

Everything that a name can lead to (accounts, their aliases, forwarders, mailing lists, the domains
themselves and their settings) notes its changes here. The number tells states apart, nothing else.
"""

from __future__ import annotations


class Changes:
    """Counts changes."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0

    def note(self) -> None:
        """Note a change that is in force already."""
        self.number += 1
