"""Names of domains and of the objects in them: which ones can exist.

Guide 3.5.2, Accounts (Creating a New Account): an account name is a part of an e-mail address and
should have letters, digits, dash and point only, since other systems cannot send to other names.
This server takes a few more signs that file names and addresses bear without quotation marks.
Names are compared without regard to letter case; account and domain names are kept in lower case.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from reference.storage.errors import BadName

#: Longest name of an account, forwarder or list; a local part has at most 64 octets on the wire,
#: but names inside one server may be longer (RFC 5321, 4.5.3.1.1).
LONGEST = 128

_OBJECT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=&'~$^{}|-]*")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def object_name(name: str) -> str:
    """Return the name of an account, alias, forwarder or list without blanks around it.

    Raises BadName with a sentence on what is wrong.
    """
    name = name.strip()
    if not name:
        raise BadName("The name is empty")
    if len(name) > LONGEST:
        raise BadName(f"The name is longer than {LONGEST} characters")
    if not _OBJECT.fullmatch(name):
        raise BadName(
            f"The name {_shown(name)} is incorrect: letters, digits, dashes, points and underscores"
            " are allowed, a letter or a digit first"
        )
    if name.endswith(".") or ".." in name:
        raise BadName(f"The name {_shown(name)} is incorrect: a point stands between two signs")
    return name


def domain_name(name: str) -> str:
    """Return a domain name in lower case, without blanks around and the root's point.

    Raises BadName with a sentence on what is wrong.
    """
    name = name.strip().lower().removesuffix(".")
    if not name:
        raise BadName("The Domain name is empty")
    if len(name) > 253:
        raise BadName("The Domain name is longer than 253 characters")
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            raise BadName(
                f"The Domain name {_shown(name)} is incorrect: letters, digits and dashes"
                " are allowed, with points between"
            )
    try:
        IPv4Address(name)
    except ValueError:
        return name
    raise BadName(f"The Domain name {_shown(name)} is incorrect: it is an IP address")


def _shown(name: str) -> str:
    """Return a name as an error text can bear it."""
    return "".join(sign if sign.isprintable() else "?" for sign in name[:40])
