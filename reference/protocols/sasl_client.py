"""SASL mechanisms, the client's side: CRAM-MD5, LOGIN and PLAIN, without I/O.

The secure method is used where it is offered. The guide says so of ATRN (SMTP Module, Receiving
Mail from a Remote Queue); Send AUTH does the same. RFC 2195, RFC 4616, RFC 4954.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass

#: In the order of preference.
PREFERRED = ("CRAM-MD5", "LOGIN", "PLAIN")


class NoMethod(Exception):  # noqa: N818 - it is what the sender is told
    """The server offers no method that we know, or asks for what no method asks."""


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password for another server."""

    name: str
    password: str


def choose(offered: Collection[str]) -> str:
    """Return the method to use. Raises :class:`NoMethod`."""
    known = {method.upper() for method in offered}
    for method in PREFERRED:
        if method in known:
            return method
    raise NoMethod(f"no method that is known is offered ({' '.join(offered) or 'none at all'})")


def begin(method: str, login: Login) -> str:
    """Return what follows the word AUTH in the command."""
    if method == "PLAIN":
        return f"PLAIN {_encoded(f'{chr(0)}{login.name}{chr(0)}{login.password}'.encode())}"
    return method


def answer(method: str, login: Login, challenges: Sequence[str]) -> str:
    """Return the response, in base64, to the last of the challenges so far.

    Raises :class:`NoMethod` when the method has no more to say, or the challenge is broken.
    """
    number = len(challenges)
    if method == "LOGIN" and number <= 2:
        return _encoded((login.name if number == 1 else login.password).encode())
    if method == "CRAM-MD5" and number == 1:
        try:
            challenge = base64.b64decode(challenges[0], validate=True)
        except (binascii.Error, ValueError) as error:
            raise NoMethod("the challenge is not in base64") from error
        digest = hmac.new(login.password.encode(), challenge, "md5").hexdigest()
        return _encoded(f"{login.name} {digest}".encode())
    raise NoMethod(f"{method} asks for more than it has to")


def _encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
