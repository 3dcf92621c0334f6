"""The service texts of mailing lists: the defaults, and what is put in for ``^N`` and its kin.

Guide 3.5.2, LIST Module (Composing Service Texts, Confirmation Requests, Welcome and Good Bye
Messages). A number after a combination is the greatest length; one that begins with 0 is the exact
length, filled up with blanks in front. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMBINATION = re.compile(r"\^([A-Z])(\d{0,4})")

#: Keyword of a list's setting → the text without one.
DEFAULTS: Mapping[str, str] = {
    "ConfirmationSubject": "Please confirm: ^P (^I)",
    "ConfirmationText": (
        "The mailing list ^N@^D has been asked to ^P the address ^A.\n\n"
        "If that is what you want, reply to this message and leave its Subject as it is:\n"
        "the reply goes to ^N-^O@^D and carries the confirmation ID ^I.\n"
        "If it is not, there is nothing to do.\n\n"
        "Questions are answered at ^N-request@^D.\n"
    ),
    "PolicySubject": "Welcome to ^N",
    "PolicyText": (
        "The address ^A receives the messages of ^N@^D from now on.\n"
        "A message to ^N-off@^D ends that; your confirmation ID is ^I.\n"
    ),
    "ByeSubject": "Good bye from ^N",
    "ByeText": "The address ^A receives no more messages of ^N@^D.\n",
    "IdentifierSubject": "Your confirmation ID for ^N (^I)",
    "IdentifierText": "The confirmation ID of ^A for the mailing list ^N@^D is ^I.\n",
}


def composed(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values in it; a combination without a value stays as it is."""

    def value(found: re.Match[str]) -> str:
        letter, digits = found[1], found[2]
        if letter not in values:
            return found[0]
        if not digits or not int(digits):
            return values[letter]
        length = int(digits)
        cut = values[letter][:length]
        return cut.rjust(length) if digits.startswith("0") else cut

    return _COMBINATION.sub(value, text)
