"""Whom a listener socket lets in: the remote address restriction.

Guide 3.5.2, TCP/IP Listeners, Restrictions. Grant lets the listed addresses in and no others, Deny
keeps the listed ones out; without a restriction the list means nothing. A line of the list holds
one address or a range with both ends in it, and perhaps a comment after ``;``, ``%`` or ``-``. The
minus sign also joins the ends of a range: what follows it begins a comment unless it is an address.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from reference.kernel.iplist import AddressList

_COMMENT = re.compile(r"[;%].*")
_ADDRESS = r"[0-9]+(?:\.[0-9]+){3}"
# A dash with nothing but digits and dots behind it is a mistyped range and no comment: such a line
# is left as it is, and refused.
_DASH_COMMENT = re.compile(
    rf"(\s*{_ADDRESS}(?:/[0-9]+|\s*-\s*{_ADDRESS})?)\s*-(?!\s*[0-9.]*\s*$)(?!\s*{_ADDRESS}\b).*"
)
_LINE_END = re.compile(r"\r\n|\r|\n")


class Limit(enum.Enum):
    """What the list of a restriction says."""

    NONE = "None"
    GRANT = "Grant"
    DENY = "Deny"


@dataclass(frozen=True)
class Restriction:
    """A restriction with its list; two are equal when they are written alike."""

    limit: Limit = Limit.NONE
    text: str = ""
    """The list as it was entered."""
    _addresses: AddressList = field(
        default_factory=lambda: AddressList.parse(""), compare=False, repr=False
    )

    @classmethod
    def parse(cls, limit: Limit, text: str) -> Restriction:
        """Read a list. Raises AddressSyntaxError for the first line that cannot be read."""
        lines = map(_without_comment, _LINE_END.split(text))
        return cls(limit, text, AddressList.parse("\n".join(lines)))

    def admits(self, address: str) -> bool:
        """Tell whether a client's address is let in."""
        if self.limit is Limit.NONE:
            return True
        return (address in self._addresses) is (self.limit is Limit.GRANT)


def _without_comment(line: str) -> str:
    entry = _COMMENT.sub("", line)
    dashed = _DASH_COMMENT.fullmatch(entry)
    return dashed[1] if dashed else entry
