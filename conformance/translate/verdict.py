"""What became of each record: the result of a translation.

A :class:`Translation` holds the native files and exactly one :class:`Verdict` a record, in the
order of the table. Nothing here knows a server.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from conformance.translate.records import Record

__all__ = ["Installation", "NativeFile", "Outcome", "Translation", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What the table itself does not say about the server that it comes from."""

    main_domain: str = "mycompany.com"
    local_domains: tuple[str, ...] = ()
    """The secondary domains, whose accounts are on the server."""
    folder: str = ""
    """Where the native files will lie; empty: the server's usual place."""


class Outcome(enum.Enum):
    """How much of a record the native files hold."""

    CARRIED = "carried"
    DIFFERENT = "carried with a difference"
    DROPPED = "not carried"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one record."""

    record: Record
    outcome: Outcome
    reason: str = ""
    """What differs, or why the record is not carried; empty if there is nothing to say."""


@dataclass(frozen=True, slots=True)
class NativeFile:
    """One file for the new server."""

    name: str
    """Its name without a folder, as ``router-aliases.regexp``."""
    use: str
    """What it is for, and where it is named or included."""
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """The native files, and what became of each record."""

    server: str
    """``postfix`` or ``exim``."""
    files: tuple[NativeFile, ...]
    verdicts: tuple[Verdict, ...]
    """One a record, in the table's order."""

    def file(self, name: str) -> NativeFile:
        """Return the file of that name. Raises KeyError."""
        for each in self.files:
            if each.name == name:
                return each
        raise KeyError(name)
