"""A sabotage: one small change in the reference's source, and who is expected to notice it.

The change is text for text, and the old text must stand in its file exactly once: when the source
has moved on, applying the change fails and says which case is to be mended. Nothing here runs a
server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The chapters of the scenarios: the folders that hold them.
ROUTER, SMTP, MAPPING = "router", "smtp", "mapping"
PROTECTION, BLACKLISTS = "protection", "blacklists"
FORWARDERS, FORMATS = "forwarders", "data-formats"
RECEIVING, LISTENERS, TLS = "smtp-receiving", "listeners", "tls"
SENDING, DIALUP, TRANSFER = "smtp-sending", "dialup", "message-transfer"
LOCAL, UNIFIED, MAILBOXES = "local-delivery", "unified-accounts", "mailboxes"
CHAPTERS = frozenset(
    {
        *(ROUTER, SMTP, MAPPING, PROTECTION, BLACKLISTS, FORWARDERS, FORMATS),
        *(RECEIVING, LISTENERS, TLS, SENDING, DIALUP, TRANSFER, LOCAL, UNIFIED, MAILBOXES),
    }
)
#: Areas: chapters that lean on each other by their own requirements. A case whose fault is a matter
#: of all of them names the area.
ADDRESSES = (ROUTER, MAPPING, FORWARDERS, LOCAL, UNIFIED)
RECEPTION = (PROTECTION, BLACKLISTS, SMTP, RECEIVING, LISTENERS, TLS)
TRANSPORT = (SMTP, SENDING, DIALUP, TRANSFER)


class SabotageError(Exception):
    """A case does not fit the source any more; the text says what to mend."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """One change, in one place, of one file."""

    name: str
    """The fault, as a short phrase with hyphens: it is the test's name."""
    file: str
    """The path below the package ``reference``."""
    change: tuple[str, str]
    """The old text and the new one."""
    witness: str
    """The file of scenarios that is sure to notice, as ``router/first-match``."""
    chapters: frozenset[str]
    """Where scenarios may fail; in all other chapters none does."""

    def applied(self, source: str) -> str:
        """Return the file's text with the change. Raises SabotageError."""
        old, new = self.change
        found = source.count(old)
        if found != 1:
            where = "nowhere" if not found else f"{found} times"
            raise SabotageError(
                f"the sabotage {self.name} does not fit reference/{self.file} any more: this text "
                f"stands there {where}, not once:\n{old}\n"
                "Whoever changed the source mends the case in tests/sabotage (docs/sabotage.md)."
            )
        return source.replace(old, new)

    def apply(self, package: Path) -> None:
        """Change a copy of the package. Raises SabotageError."""
        path = package / self.file
        if not path.is_file():
            raise SabotageError(
                f"the sabotage {self.name} wants to change reference/{self.file}, "
                "which does not exist any more; mend the case in tests/sabotage"
            )
        path.write_text(self.applied(path.read_text(encoding="utf-8")), encoding="utf-8")


def cases(*chapters: str, **faults: tuple[str, str, str, str]) -> tuple[Sabotage, ...]:
    """Make cases that the same chapters notice: ``the_fault=(file, old, new, witness)``."""
    return tuple(
        Sabotage(name.replace("_", "-"), file, (old, new), witness, frozenset(chapters))
        for name, (file, old, new, witness) in faults.items()
    )


def by_name(*groups: tuple[Sabotage, ...]) -> Mapping[str, Sabotage]:
    """Return the cases of several groups by their names. Raises ValueError for a name in use."""
    table: dict[str, Sabotage] = {}
    for case in (case for group in groups for case in group):
        if case.name in table:
            raise ValueError(f"two sabotage cases are called {case.name}")
        table[case.name] = case
    return table
